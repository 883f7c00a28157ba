"""The image of a kind cluster's nodes: chosen, then pulled or built.

In this order: ``cluster.node_image``; the ``kindest/node`` that kind publishes for the wanted
version, by its digest; our own, built from Go modules.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..cluster.kind_config import unsupported_by_own_image
from ..cluster.node_images import BUILDABLE, KINDEST, NEWEST, require_known
from ..config.model import ClusterConfig
from ..errors import LocalloopError, UsageError
from ..system.ca_bundle import host_ca_bundle
from ..system.container_runtime import ROOTLESS, server_runtime
from ..system.docker import Docker
from .own_image import build_image, content_tag, ensure_base_image

Say = Callable[[str], None]
REPOSITORY = "localloop/kind-node"
PULL_SECONDS = 600


@dataclass(frozen=True)
class NodeImage:
    """The image, where it comes from, and whether it had (or has) to be pulled or built."""

    reference: str
    source: Literal["configured", "kindest", "built"]
    changed: bool


def have_node_image(
    docker: Docker,
    wanted: ClusterConfig,
    *,
    directory: Path,
    base_image: str,
    base_suite: str,
    timeout: float,
    check: bool,
    say: Say,
) -> NodeImage:
    """The image for the cluster's nodes, in Docker's store; with ``check`` nothing is fetched.

    ``directory`` is what our own image is built from, ``timeout`` the seconds for that. Raises
    ``LocalloopError``: ``node_image_missing``, ``image_build_failed``, ``base_image_failed``;
    ``UsageError``: ``kubernetes_unavailable``, ``kind_config_unsupported``,
    ``node_image_unusable``.
    """
    require_known(wanted)
    if wanted.node_image:
        if wanted.node_image.startswith(f"{REPOSITORY}:"):
            _require_supported(wanted)
        return _configured(docker, wanted, check=check, say=say)
    minor = wanted.kubernetes or NEWEST
    kindest = KINDEST.get(minor, "")
    if kindest and docker.inspect_image(kindest) is not None:
        return NodeImage(kindest, "kindest", changed=False)
    arguments = {"BASE_IMAGE": base_image, "KUBERNETES": minor}
    own = f"{REPOSITORY}:{content_tag(directory, arguments, minor, image_files(directory, minor))}"
    if minor in BUILDABLE and docker.inspect_image(own) is not None:
        _require_supported(wanted)
        return NodeImage(own, "built", changed=False)
    if check:
        return NodeImage(kindest or own, "kindest" if kindest else "built", changed=True)
    problem = _pull(docker, kindest, say) if kindest else "kind publishes none that is known here"
    if not problem:
        return NodeImage(kindest, "kindest", changed=True)
    if minor not in BUILDABLE:
        raise UsageError(
            "kubernetes_unavailable",
            f"there is no node image for Kubernetes {minor}: {problem}",
            hint=f"`cluster.kubernetes` can be built for {', '.join(BUILDABLE)};"
            " `cluster.node_image` names any other image.",
        )
    _require_supported(wanted)
    if server_runtime(docker.version(), docker.info()) == ROOTLESS:
        raise UsageError(
            "runtime_refused",
            f"the node image that can be built here does not run in rootless Docker, and {kindest}"
            f" {problem}",
            hint="Pull a `kindest/node` image, or use a Docker daemon that runs as root.",
        )
    say(f"{problem}: building Kubernetes {minor} from its Go modules (about 10 minutes, once)")
    ensure_base_image(docker, base_image, base_suite, say)
    build_image(
        own,
        directory,
        arguments,
        component="cluster",
        timeout=timeout,
        say=say,
        secrets=_ca_secret(),
    )
    return NodeImage(own, "built", changed=True)


def image_files(directory: Path, minor: str) -> list[Path]:
    """The files that go into our image of one version, without documentation and Go tests."""
    others = [directory / "kubernetes" / each for each in BUILDABLE if each != minor]
    return [
        path
        for path in directory.rglob("*")
        if not path.is_dir()
        and path.name != "README.md"
        and not path.name.endswith("_test.go")
        and "testdata" not in path.parts
        and path.parent not in others
    ]


def _configured(docker: Docker, wanted: ClusterConfig, *, check: bool, say: Say) -> NodeImage:
    reference = wanted.node_image or ""
    file = wanted.kind_config
    key = "the image of the nodes in that file" if file else "`cluster.node_image`"
    found, pulled = docker.inspect_image(reference), False
    if found is None and check:
        return NodeImage(reference, "configured", changed=True)
    if found is None:
        problem = _pull(docker, reference, say)
        if problem:
            raise LocalloopError(
                "node_image_missing",
                f"{key} is {reference}, which {problem}",
                where=str(file) if file else None,
                hint="Build or pull that image, or leave it out.",
            )
        found, pulled = docker.inspect_image(reference), True
    if found is not None and not _is_node_image(found):
        raise UsageError(
            "node_image_unusable",
            f"{key} is {reference}, which is no node image of kind: it does not start an init",
            where=str(file) if file else None,
            hint="Name a `kindest/node` image, or one that `kind build node-image` made.",
        )
    return NodeImage(reference, "configured", changed=pulled)


def _is_node_image(found: Mapping[str, Any]) -> bool:
    """Whether a container of the image is a node: ``entrypoint`` prepares it and starts an init."""
    config = found.get("Config") or {}
    words = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    return any(Path(word).name in ("entrypoint", "init", "systemd") for word in words)


def _pull(docker: Docker, reference: str, say: Say) -> str:
    """Pull an image; returns why it could not be pulled, empty if it was."""
    say(f"pulling {reference}")
    try:
        docker.engine.pull(reference, timeout=PULL_SECONDS, say=say)
    except LocalloopError as error:
        if error.reason != "docker_error":
            raise
        return f"cannot be pulled ({error.message})"
    return ""


def _require_supported(wanted: ClusterConfig) -> None:
    lacks = unsupported_by_own_image(wanted)
    if lacks:
        raise UsageError(
            "kind_config_unsupported",
            f"the node image that is built here does not support {', '.join(lacks)}",
            where=str(wanted.kind_config or ""),
            hint="Name a `kindest/node` image as `image` of every node there, or change this.",
        )


def _ca_secret() -> dict[str, str]:
    """The host's CA bundle for downloads within the build, where there is one."""
    path = host_ca_bundle(os.environ)
    return {"ca-certificates": path} if Path(path).is_file() else {}
