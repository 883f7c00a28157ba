"""Whether a node that seems to run on this Docker was seen to use it.

Every machine with Docker Desktop has a node of the same name, so that what a node says of itself is
no proof.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..errors import LocalloopError, UsageError
from ..kube.client import Kube
from ..kube.objects import Object
from ..registry.client import Registry
from ..system.docker import Docker
from ..system.paths import cluster_dir, write_private
from .probe_image import REPOSITORY, push_probe, remove_probe

POD_LABEL = "io.kubernetes.pod.uid"
PULL_SECONDS = 30.0
SEEN_SECONDS = 90.0  # a kubelet lists its images every 30 s, and reports them every 10 s
REPORTED = 50  # the images that a kubelet reports at most, the largest first
_POLL_SECONDS = 1.0


def require_shared(
    kube: Kube, docker: Docker, name: str, registry: Registry | None, platform: str
) -> None:
    """Raise ``UsageError`` (``no_image_route``) unless each node was seen to use this Docker.

    Proof is a container here of one of the node's pods; where Docker hides those, a small image
    with random content, pulled by this Docker, that the node reports. That may take a minute, and
    needs localloop's ``registry``: None while it is still to be made. What was seen is remembered
    by the node and the daemon. ``name`` is the cluster's in the local state.
    """
    path = cluster_dir(name) / "shared.json"
    daemon = str(docker.info().get("ID") or "")
    passed = _passed(path.read_bytes() if path.exists() else b"")
    nodes = kube.list("v1", "Node", "")[0]
    left = [node for node in nodes if passed.get(_uid(node)) != daemon]
    if not left:
        return
    unseen = _without_containers(kube, docker, left)
    if unseen:
        if registry is None:
            return
        _require_seen(kube, docker, registry, platform, [_name(node) for node in unseen])
    seen = {_uid(node): daemon for node in nodes}
    write_private(path, json.dumps(seen).encode())


def _passed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _without_containers(kube: Kube, docker: Docker, nodes: Sequence[Object]) -> list[Object]:
    """The nodes of whose pods no container is here."""
    here = {each["Labels"].get(POD_LABEL) for each in docker.containers({"label": [POD_LABEL]})}
    return [node for node in nodes if not here & set(_pods_on(kube, _name(node)))]


def _pods_on(kube: Kube, node: str) -> Iterator[str]:
    pods, _ = kube.list("v1", "Pod", field_selector=f"spec.nodeName={node}", metadata_only=True)
    return map(_uid, pods)


def _require_seen(
    kube: Kube, docker: Docker, registry: Registry, platform: str, nodes: Sequence[str]
) -> None:
    probe = push_probe(registry, platform)
    reference = f"{registry.address}/{REPOSITORY}:{probe.tag}"
    try:
        docker.engine.pull(reference, timeout=PULL_SECONDS, anonymous=True)
        away = _not_seen(kube, docker, reference, nodes)
    except LocalloopError as error:
        raise _no_route(f"a probe cannot be brought to the nodes: {error.message}") from error
    finally:
        with suppress(LocalloopError):
            docker.engine.remove_image(reference)
        remove_probe(registry, probe)
    if away:
        runs = "runs" if len(away) == 1 else "run"
        raise _no_route(
            f"{', '.join(away)} {runs} Docker, but not this one: an image that was pulled here did"
            f" not appear there within {SEEN_SECONDS:.0f} s"
        )


def _not_seen(kube: Kube, docker: Docker, reference: str, nodes: Sequence[str]) -> list[str]:
    """The nodes that do not report the image in time.

    A kubelet that reports as many images as it may reports the largest alone. Then they all have to
    be here.
    """
    deadline = time.monotonic() + SEEN_SECONDS
    left = list(nodes)
    while True:
        here = docker.image_names()
        for node in kube.list("v1", "Node", "")[0]:
            reported = (node.get("status") or {}).get("images") or []
            names = [frozenset(image.get("names") or ()) for image in reported]
            full = len(names) >= REPORTED and all(each & here for each in names)
            if _name(node) in left and (full or any(reference in each for each in names)):
                left.remove(_name(node))
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(_POLL_SECONDS)


def _no_route(message: str) -> UsageError:
    return UsageError(
        "no_image_route",
        message,
        hint="Name a registry that its nodes pull from and that this machine pushes to:"
        " `registry: {host: HOST:PORT}` in localloop.yml; or point DOCKER_HOST at the node's"
        " Docker.",
    )


def _name(node: Object) -> str:
    return str(node["metadata"]["name"])


def _uid(each: Object) -> str:
    return str(each["metadata"].get("uid"))
