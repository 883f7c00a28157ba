"""The cluster's node containers, from one request to Docker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..config.model import API_PORT
from ..system.docker import Docker
from . import owner

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"
CONTROL_PLANE = "control-plane"

_UP = re.compile(r"Up (?:(\d+) seconds?|Less than a second)")

Listed = Mapping[str, Any]
"""A container as ``GET /containers/json`` lists it."""

NodesVerdict = Literal["ok", "create", "start", "restart"]


@dataclass(frozen=True, kw_only=True)
class NodeContainer:
    """A node: its name in Docker and in Kubernetes, and the state that Docker reports.

    ``age``: for how many seconds it has run, if that is less than a minute.
    """

    name: str
    role: str
    state: str
    container_id: str
    image: str
    age: int | None = None


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """The nodes of a cluster, the control plane first, and what has to be done about them.

    ``api`` is the API server's address on this host, empty if it is not published (also while the
    node is stopped).
    """

    verdict: NodesVerdict
    reason: str = ""
    ours: bool = False
    nodes: tuple[NodeContainer, ...] = ()
    api: str = ""


def list_nodes(docker: Docker, name: str) -> Sequence[Listed]:
    """The cluster's node containers as Docker lists them, running or not. One request."""
    return docker.containers({"label": [f"{CLUSTER_LABEL}={name}"]})


def judge_nodes(listed: Sequence[Listed], creation: owner.Creation | None) -> Nodes:
    """What has to be done about a cluster's node containers. ``creation``: what is noted of it."""
    nodes = tuple(sorted((node_container(each) for each in listed), key=_order))
    if not nodes:
        return Nodes(verdict="create", reason="cluster_missing")
    ours = any(owner.owns(creation, each) for each in listed)
    found = _verdict(nodes, half_made=ours and not (creation and creation.finished))
    return replace(found, ours=ours, nodes=nodes, api=_api(listed))


def node_container(listed: Listed, *, role: str = "") -> NodeContainer:
    """A node from its container as Docker lists it; kind's label says its role unless given."""
    labels = listed.get("Labels") or {}
    return NodeContainer(
        name=str(listed["Names"][0]).removeprefix("/"),
        role=role or labels.get(ROLE_LABEL, ""),
        state=str(listed.get("State", "")),
        container_id=str(listed["Id"]),
        image=str(listed.get("Image", "")),
        age=_age(str(listed.get("Status", ""))),
    )


def networks_of(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """The networks that a container is in, by name, as Docker lists or inspects it."""
    return (container.get("NetworkSettings") or {}).get("Networks") or {}


def environ_of(container: Mapping[str, Any]) -> dict[str, str]:
    """The variables that a container was created with, as Docker inspects it."""
    pairs = (each.partition("=") for each in (container.get("Config") or {}).get("Env") or ())
    return {name: value for name, _, value in pairs}


def _age(status: str) -> int | None:
    """The seconds of ``Up 12 seconds``; None of anything older, and of what does not run."""
    found = _UP.match(status)
    return int(found[1] or 0) if found else None


def _order(node: NodeContainer) -> tuple[bool, int, str]:
    """Control planes first, then ``worker``, ``worker2``, … ``worker10``: as kind creates them."""
    return node.role != CONTROL_PLANE, len(node.name), node.name


def _verdict(nodes: Sequence[NodeContainer], *, half_made: bool) -> Nodes:
    """The verdict on nodes of ours or others, and its reason."""
    planes = [node for node in nodes if node.role == CONTROL_PLANE]
    states = {node.state for node in nodes}
    if half_made:
        return Nodes(verdict="create", reason="cluster_half_made")
    if not planes:
        return Nodes(verdict="create", reason="cluster_incomplete")
    if any(node.state == "created" for node in planes):
        return Nodes(verdict="create", reason="cluster_never_started")
    if "dead" in states:  # `docker start` does not end these two
        return Nodes(verdict="restart", reason="cluster_dead")
    if "restarting" in states:
        return Nodes(verdict="restart", reason="cluster_restarting")
    if "paused" in states:
        return Nodes(verdict="start", reason="cluster_paused")
    if any(node.state != "running" for node in planes):
        return Nodes(verdict="start", reason="cluster_stopped")
    if states != {"running"}:
        return Nodes(verdict="start", reason="node_stopped")
    return Nodes(verdict="ok")


def _api(listed: Iterable[Listed]) -> str:
    for container in listed:
        for port in container.get("Ports") or ():
            if port.get("PrivatePort") == API_PORT and port.get("PublicPort"):
                address = port.get("IP") or "127.0.0.1"
                host = "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104
                return f"https://{host}:{port['PublicPort']}"
    return ""
