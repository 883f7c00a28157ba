"""The image of the cluster's registry: built if Docker does not have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..system.docker import Docker
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "repository": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "tag_prefix": {"type": "str", "default": ""},
    "build_args": {"type": "dict", "default": {}},
    "base_image": {"type": "str", "default": "debian:bookworm-slim"},
    "base_suite": {"type": "str", "default": "bookworm"},
    "timeout": {"type": "int", "default": 3600},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Build the image of the cluster's registry, unless Docker has it already.

    Takes ``repository``, ``path`` (the directory with the Dockerfile), ``tag_prefix``,
    ``build_args``, ``base_image``, ``base_suite`` and ``timeout`` (seconds for the build).
    Returns ``changed`` (whether it is, or in check mode would be, built) and ``image``, its name.

    Raises:
        LocalloopError (exit 1): ``image_build_failed``, ``base_image_failed``, ``tool_missing``,
            ``tool_timeout``, ``docker_unreachable``.
        UsageError (exit 2): ``docker_host_refused``.
    """
    from ..build.own_image import build_image, content_tag, ensure_base_image

    directory = Path(params["path"])
    base = params["base_image"]
    arguments = {str(key): str(value) for key, value in (params["build_args"] or {}).items()}
    arguments["BASE_IMAGE"] = base
    tag = content_tag(directory, arguments, params["tag_prefix"])
    image = f"{params['repository']}:{tag}"
    docker = Docker()
    if docker.inspect_image(image) is not None:
        return {"changed": False, "image": image}
    if context.check:
        return {"changed": True, "image": image}

    def say(text: str) -> None:
        context.emit({"event": "progress", "component": "registry", "step": "image", "text": text})

    ensure_base_image(docker, base, params["base_suite"], say)
    build_image(
        image,
        directory,
        arguments,
        component="registry",
        timeout=params["timeout"],
        say=say,
    )
    context.emit(
        {"event": "result", "step": "registry_image", "component": "registry", "changed": True}
    )
    return {"changed": True, "image": image}
