"""Images in the store of a node's containerd; the node is a container of this Docker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from ..errors import LocalloopError
from ..registry.published import PublishedImage
from ..system.docker import Docker

ANSWER_SECONDS = 30.0

# Where containerd keeps blobs: kind's nodes and most others, and those of k3s.
_STORES = tuple(
    f"{root}/io.containerd.content.v1.content/blobs/sha256"
    for root in ("/var/lib/containerd", "/var/lib/rancher/k3s/agent/containerd")
)
_PULLED = "/var/lib/kubelet/image_manager/pulled"


def holds(docker: Docker, node: str, image: PublishedImage) -> bool:
    """Whether the node holds the image's manifest, which goes with the image. One light request.

    It proves that the image was not removed since it was loaded; that the node's runtime finds it
    by its name is what ``known_as`` asks.
    """
    return has_blob(docker, node, image.digest)


def has_blob(docker: Docker, node: str, digest: str) -> bool:
    """Whether the node's store has a blob (``sha256:…``)."""
    name = digest.removeprefix("sha256:")
    return any(docker.stat_path(node, f"{store}/{name}") for store in _STORES)


def known_as(docker: Docker, node: str, reference: str) -> str:
    """The id of the image that the kubelet gets for a reference; empty if there is none.

    containerd's ids are the digests of configurations. One command on the node.
    """
    argv = ["crictl", "inspecti", "--output", "json", reference]
    code, output = docker.engine.execute(node, argv, timeout=ANSWER_SECONDS)
    if code:
        return ""
    try:
        return str(json.loads(output)["status"]["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def pulled_as(docker: Docker, node: str, image_id: str) -> tuple[str, frozenset[str]]:
    """The kubelet's record of having pulled an image: its path, and the repositories in it.

    A kubelet since 1.35 uses an image that is there without a pull if it never pulled that id, or
    pulled it under the very name that a pod asks for. Both are empty if it never did. One light
    request.
    """
    path = f"{_PULLED}/sha256-{hashlib.sha256(image_id.encode()).hexdigest()}"
    if docker.stat_path(node, path) is None:
        return "", frozenset()
    try:
        found = json.loads(docker.engine.read_file(node, path) or b"")
        return path, frozenset(map(str, found.get("credentialMapping") or {}))
    except (ValueError, AttributeError):
        return path, frozenset()


def write(docker: Docker, node: str, archive: Iterable[bytes], *, seconds: float) -> None:
    """Import an archive in OCI's layout into the store that the kubelet uses.

    Raises ``LocalloopError`` (``docker_error``, ``docker_unreachable``) with what containerd says.
    """
    argv = ["ctr", "--namespace=k8s.io", "images", "import", "-"]
    code, output = docker.engine.feed(node, argv, archive, timeout=seconds)
    if code:
        raise LocalloopError(
            "docker_error", f"ctr on {node} ended with {code}: {output.strip()[-300:]}"
        )
