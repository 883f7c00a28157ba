"""What the cluster section asks for and the live nodes lack. A superset satisfies it."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..config.kind_file import CONTROL_PLANE, WORKER, ports_of
from ..config.model import ClusterConfig, Port
from .kind_config import wanted_nodes

Container = Mapping[str, Any]
"""An entry of Docker's ``GET /containers/json?all=1``."""

ROLE_LABEL = "io.x-k8s.kind.role"
_DOCKER_DESKTOP = "/host_mnt"  # its prefix of paths on the real host


def lacking(
    wanted: ClusterConfig, nodes: Sequence[Container], kubernetes: str = ""
) -> tuple[str, ...]:
    """What the cluster's containers lack of what is wanted, as phrases; empty if nothing.

    ``kubernetes`` is the version that the cluster was made with, if it is known. The ports of a
    container that does not run cannot be seen, so they are not judged.
    """
    asked: dict[str, list[dict[str, Any]]] = {role: [] for role in (CONTROL_PLANE, WORKER)}
    for node in wanted_nodes(wanted):
        asked[node["role"]].append(node)
    live = {role: _of_role(nodes, role) for role in asked}
    found: list[str] = []
    for role, word in ((CONTROL_PLANE, "control plane"), (WORKER, "worker")):
        fewer = len(asked[role]) - len(live[role])
        if fewer > 0:
            found.append(f"{fewer} more {word}{'s' if fewer > 1 else ''}")
    for role, each in asked.items():
        for node, container in zip(each, live[role], strict=False):
            found += _lacking_ports(node, container)
    if wanted.kind_config is not None:
        for role, each in asked.items():
            for node, container in zip(each, live[role], strict=False):
                found += _lacking_mounts(node, [container])
    else:
        found += _lacking_mounts(asked[CONTROL_PLANE][0], [*live[CONTROL_PLANE], *live[WORKER]])
    runs = kubernetes.removeprefix("v")
    if wanted.kubernetes and runs and not runs.startswith(f"{wanted.kubernetes}."):
        found.append(f"Kubernetes {wanted.kubernetes} (it runs {runs})")
    return tuple(found)


def _of_role(nodes: Sequence[Container], role: str) -> list[Container]:
    """The containers with a role, in the order in which kind named them."""

    def number(node: Container) -> int:
        digits = re.search(r"[0-9]*$", _name(node).rpartition(f"-{role}")[2])
        return int(digits[0] or 1) if digits else 1

    return sorted(
        (node for node in nodes if (node.get("Labels") or {}).get(ROLE_LABEL) == role), key=number
    )


def _name(node: Container) -> str:
    return str((node.get("Names") or [""])[0]).lstrip("/")


def _lacking_ports(node: Mapping[str, Any], container: Container) -> list[str]:
    if container.get("State") != "running":
        return []
    live = container.get("Ports") or []
    return [str(port) for port in ports_of(node) if not any(_serves(port, e) for e in live)]


def _serves(port: Port, live: Mapping[str, Any]) -> bool:
    public = live.get("PublicPort")
    everywhere = "::" if ":" in port.address else "0.0.0.0"  # noqa: S104 (compared only)
    return (
        live.get("PrivatePort") == port.node
        and live.get("Type", "tcp") == port.protocol
        and bool(public)
        and port.host in (None, public)
        and (live.get("IP") == port.address or live.get("IP") == everywhere)
    )


def _lacking_mounts(node: Mapping[str, Any], containers: Sequence[Container]) -> list[str]:
    found = []
    for mount in node.get("extraMounts", ()):
        without = [each for each in containers if not _mounts(mount, each)]
        if not without:
            continue
        read_only = ", read-only" if mount.get("readOnly") else ""
        names = ", ".join(_name(each) for each in without)
        found.append(f"mount {mount['hostPath']} at {mount['containerPath']}{read_only} on {names}")
    return found


def _mounts(mount: Mapping[str, Any], container: Container) -> bool:
    place = os.path.normpath(mount["containerPath"])
    return any(
        live.get("Type") == "bind"
        and os.path.normpath(live.get("Destination", "")) == place
        and _is_same(mount["hostPath"], str(live.get("Source", "")))
        and (bool(mount.get("readOnly")) or live.get("RW", True))
        for live in container.get("Mounts") or ()
    )


def _is_same(wanted: str, source: str) -> bool:
    """Whether both are the same place on this machine, also if one was reached through a link."""
    sources = {source, source.removeprefix(_DOCKER_DESKTOP)}
    return wanted in sources or os.path.realpath(wanted) in {os.path.realpath(s) for s in sources}
