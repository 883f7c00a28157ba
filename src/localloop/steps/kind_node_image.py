"""The image of a kind cluster's nodes: the configured one, kind's own, or one that is built
here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..system.docker import Docker
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path"},
    "path": {"type": "path", "required": True},
    "base_image": {"type": "str", "default": "debian:bookworm-slim"},
    "base_suite": {"type": "str", "default": "bookworm"},
    "timeout": {"type": "int", "default": 3600},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Have the image of a cluster's nodes in Docker's store: pulled, or else built.

    Takes ``project`` (the directory whose localloop.yml may name ``cluster.node_image`` or
    ``cluster.kubernetes``; empty: the newest version), ``path`` (the directory that our own image
    is built from), ``base_image``, ``base_suite`` and ``timeout`` (seconds for the build).
    Returns ``changed`` (whether it was, or in check mode would be, pulled or built), ``image`` and
    ``source`` (``configured``, ``kindest`` or ``built``).

    Raises:
        LocalloopError (exit 1): ``node_image_missing``, ``image_build_failed``,
            ``base_image_failed``, ``tool_missing``, ``tool_timeout``, ``docker_unreachable``.
        UsageError (exit 2): ``kubernetes_unavailable``, ``kind_config_unsupported``,
            ``node_image_unusable``,
            ``docker_host_refused``, ``config_missing``, ``config_invalid``.
    """
    from ..build.kind_node import have_node_image
    from ..config.model import ClusterConfig
    from ..config.project import load_project

    project = params["project"]
    wanted = load_project(Path(project)).cluster if project else ClusterConfig(name="")

    def say(text: str) -> None:
        context.emit(
            {"event": "progress", "component": "cluster", "step": "node-image", "text": text}
        )

    found = have_node_image(
        Docker(),
        wanted,
        directory=Path(params["path"]),
        base_image=params["base_image"],
        base_suite=params["base_suite"],
        timeout=params["timeout"],
        check=context.check,
        say=say,
    )
    if found.source == "built" and found.changed and not context.check:
        context.emit(
            {"event": "result", "step": "node_image", "component": "cluster", "changed": True}
        )
    return {"changed": found.changed, "image": found.reference, "source": found.source}
