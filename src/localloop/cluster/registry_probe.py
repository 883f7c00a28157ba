"""Whether what is pushed to a registry from here is what the nodes of a cluster get from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..errors import LocalloopError, UsageError
from ..registry.client import Registry
from ..system.docker import Docker
from ..system.environ import uses_proxy
from ..system.paths import cluster_dir, write_private
from . import image_store
from .containers import NodeContainer, environ_of
from .probe_image import REPOSITORY, push_probe, remove_probe
from .route import OVERRIDE, Route

PULL_SECONDS = 30.0


def require_registry(route: Route) -> None:
    """Raise ``UsageError`` (``registry_unusable``) unless a registry answers here. One request."""
    try:
        if Registry(route.push, timeout=5.0).answers():
            return
        why = "what answers there is no registry, or one that wants an account"
    except LocalloopError as error:
        why = error.message
    raise _unusable(route, why)


def require_pulls(
    docker: Docker, name: str, route: Route, nodes: Sequence[NodeContainer], platform: str
) -> None:
    """Raise ``UsageError`` (``registry_unusable``) unless every node gets what is pushed here.

    A small image with random content is pushed, and pulled on each node; a container that has
    passed is not asked again. ``name`` is the cluster's in the local state.
    """
    path = cluster_dir(name) / "pulls.json"
    try:
        passed: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        passed = {}
    key = f"{route.push} {route.pull}"
    left = [node for node in nodes if passed.get(node.container_id) != key]
    if not left:
        return
    registry = Registry(route.push)
    try:
        probe = push_probe(registry, platform)
    except LocalloopError as error:
        raise _unusable(route, f"nothing can be pushed there: {error.message}") from error
    reference = f"{route.pull}/{REPOSITORY}:{probe.tag}"
    try:
        for node in left:
            _pull(docker, node.name, route, reference, probe.config)
    finally:
        remove_probe(registry, probe)
    seen = {node.container_id: key for node in nodes}
    write_private(path, json.dumps(seen).encode())


def _pull(docker: Docker, node: str, route: Route, reference: str, config: str) -> None:
    argv = ["timeout", f"{PULL_SECONDS:.0f}", "crictl", "pull", reference]
    code, output = docker.engine.execute(node, argv, timeout=PULL_SECONDS + 10)
    found = image_store.known_as(docker, node, reference) if code == 0 else ""
    if code == 0:
        with suppress(LocalloopError):
            docker.engine.execute(node, ["crictl", "rmi", reference], timeout=PULL_SECONDS)
    if found != config:
        lines = output.strip().splitlines()
        seen = lines[-1][-300:] if lines and code else f"it got {found or 'nothing'}"
        raise _unusable(
            route,
            f"node {node} cannot pull from {route.pull} what was pushed to {route.push}: {seen}"
            + _node_proxy(docker, node),
        )


def _node_proxy(docker: Docker, node: str) -> str:
    """What the node's containerd asks a proxy for, if it was started with one."""
    environ = environ_of(docker.inspect_container(node) or {})
    if not uses_proxy(environ):
        return ""
    direct = environ.get("NO_PROXY") or environ.get("no_proxy")
    return (
        "; the node was created with a proxy, which its containerd asks for every host but"
        f" {direct or 'those on loopback'} (NO_PROXY): the name by which its hosts.toml reaches the"
        " registry has to be one of them"
    )


def _unusable(route: Route, why: str) -> UsageError:
    return UsageError(
        "registry_unusable",
        f"the registry {route.push} ({route.why}) is of no use: {why}",
        hint=OVERRIDE,
    )
