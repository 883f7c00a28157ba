"""The configuration that ``kind create cluster --config`` gets; nothing here touches anything."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.cluster import OWNER_DEST
from ..config.kind_file import API_VERSION, CONTROL_PLANE, WORKER, ports_of
from ..config.model import LOOPBACK_ADDRESS, ClusterConfig, Port

_NO_CGROUP_V2 = "kind: KubeletConfiguration\nfailCgroupV1: false\n"


def kind_config(
    config: ClusterConfig,
    *,
    owner: Path,
    api_port: int,
    free_ports: Mapping[Port, int] | None = None,
    fail_cgroup_v1_patch: bool = False,
) -> dict[str, Any]:
    """What kind has to make: the cluster section, or the user's own file with what we need in it.

    ``owner`` is the file that says whose the nodes are, ``api_port`` the API server's port on
    127.0.0.1 (a port that the user's file has wins). ``free_ports`` are the host ports chosen for
    those of ``ports_wanted`` without one; kind chooses for the others. ``fail_cgroup_v1_patch``:
    the kubelet of the image refuses cgroup v1, which this machine has.
    """
    made: dict[str, Any] = copy.deepcopy(config.kind_document)
    made |= {"apiVersion": API_VERSION, "kind": "Cluster", "name": config.name}
    networking = made.setdefault("networking", {})
    networking.setdefault("apiServerAddress", LOOPBACK_ADDRESS)
    if not networking.get("apiServerPort"):
        networking["apiServerPort"] = api_port
    made["nodes"] = wanted_nodes(config)
    free = dict(free_ports or {})
    for node in made["nodes"]:
        for mapping, port in zip(node.get("extraPortMappings", ()), ports_of(node), strict=True):
            mapping["listenAddress"] = port.address
            if port.host is None and port in free:
                mapping["hostPort"] = free.pop(port)
        node.setdefault("extraMounts", []).append(
            {"hostPath": str(owner), "containerPath": OWNER_DEST, "readOnly": True}
        )
    if fail_cgroup_v1_patch:  # first, so that a patch of the user's has the last word
        patches = made.get("kubeadmConfigPatches", [])
        made["kubeadmConfigPatches"] = [_NO_CGROUP_V2, *patches]
    return made


def rendered(made: Mapping[str, Any]) -> bytes:
    """A configuration as the file that kind reads (JSON is YAML too)."""
    return (json.dumps(made, indent=2) + "\n").encode()


def wanted_nodes(config: ClusterConfig) -> list[dict[str, Any]]:
    """The nodes as kind's file has them, each with its role: the user's own or the section's."""
    if config.kind_config is not None:
        nodes = copy.deepcopy(config.kind_document.get("nodes") or [{}])
        return [{"role": CONTROL_PLANE, **node} for node in nodes]
    mounts = [
        {"hostPath": str(mount.host), "containerPath": mount.node, "readOnly": mount.read_only}
        for mount in config.mounts
    ]
    workers = (config.nodes or 1) - 1
    nodes = [
        {"role": role, "extraMounts": copy.deepcopy(mounts)}
        for role in (CONTROL_PLANE, *[WORKER] * workers)
    ]
    nodes[0]["extraPortMappings"] = [_mapping(port) for port in config.ports]
    return nodes


def ports_wanted(config: ClusterConfig) -> tuple[Port, ...]:
    """The ports that the nodes are to publish; those without ``host`` need a free one."""
    return tuple(port for node in wanted_nodes(config) for port in ports_of(node))


def unsupported_by_own_image(config: ClusterConfig) -> list[str]:
    """What is asked for that localloop's own node image cannot do, as phrases; mostly empty."""
    networking = config.kind_document.get("networking", {})
    roles = [node["role"] for node in wanted_nodes(config)]
    found = []
    if roles.count(CONTROL_PLANE) > 1:
        found.append(f"several control planes ({roles.count(CONTROL_PLANE)} nodes have that role)")
    if networking.get("ipFamily", "ipv4") != "ipv4":
        found.append(f"IPv6 (ipFamily: {networking['ipFamily']})")
    if networking.get("disableDefaultCNI"):
        found.append("another CNI (disableDefaultCNI: true)")
    return found


def _mapping(port: Port) -> dict[str, Any]:
    mapping: dict[str, Any] = {
        "containerPort": port.node,
        "listenAddress": port.address,
        "protocol": port.protocol.upper(),
    }
    if port.host is not None:
        mapping["hostPort"] = port.host
    return mapping
