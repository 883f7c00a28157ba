"""The image of a kind cluster's nodes: chosen, then pulled or built.

In this order: ``cluster.node_image``; the ``kindest/node`` that kind publishes for the wanted
version, by its digest; our own, built from Go modules.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..cluster.kind_config import unsupported_by_own_image
from ..cluster.node_images import BUILDABLE, KINDEST, NEWEST
from ..config.model import ClusterConfig
from ..errors import LocalloopError, UsageError
from ..system.container_runtime import ROOTLESS, server_runtime
from ..system.docker import Docker
from .own_image import build_image, content_tag, ensure_base_image

Say = Callable[[str], None]
REPOSITORY = "localloop/kind-node"
PULL_SECONDS = 600
_CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


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
    ``UsageError``: ``kubernetes_unavailable``, ``kind_config_unsupported``.
    """
    if wanted.node_image:
        return _configured(docker, wanted.node_image, check=check, say=say)
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


def _configured(docker: Docker, reference: str, *, check: bool, say: Say) -> NodeImage:
    if docker.inspect_image(reference) is not None:
        return NodeImage(reference, "configured", changed=False)
    if check:
        return NodeImage(reference, "configured", changed=True)
    problem = _pull(docker, reference, say)
    if problem:
        raise LocalloopError(
            "node_image_missing",
            f"`cluster.node_image` is {reference}, which {problem}",
            hint="Build or pull that image, or leave `cluster.node_image` out.",
        )
    return NodeImage(reference, "configured", changed=True)


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
            hint="Name a `kindest/node` image as `cluster.node_image`, or change this.",
        )


def _ca_secret() -> dict[str, str]:
    """The host's CA bundle for downloads within the build, where there is one."""
    paths = ssl.get_default_verify_paths()
    for path in (paths.cafile, *_CA_BUNDLES):
        if path and Path(path).is_file():
            return {"ca-certificates": path}
    return {}
