"""The configuration that ``kind create cluster --config`` gets; nothing here touches anything."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.kind_file import API_VERSION, CONTROL_PLANE, WORKER, ports_of
from ..config.model import API_PORT, LOOPBACK_ADDRESS, ClusterConfig, Port
from ..config.node_places import OWNER_DEST

_NO_CGROUP_V2 = "kind: KubeletConfiguration\nfailCgroupV1: false\n"
_PATCHES = "kind: InitConfiguration\npatches: {{directory: {}}}\n"


def kind_config(
    config: ClusterConfig,
    *,
    owner: Path,
    api_port: int,
    free_ports: Mapping[Port, int] | None = None,
    fail_cgroup_v1_patch: bool = False,
    kubeadm_patches: str = "",
) -> dict[str, Any]:
    """What kind has to make: the cluster section, or the user's own file with what we need in it.

    ``owner`` is the file that says whose the nodes are, ``api_port`` the API server's port on
    127.0.0.1 (a port that the user's file has wins). ``free_ports`` are the host ports chosen for
    those of ``ports_wanted`` without one; kind chooses for the others. ``fail_cgroup_v1_patch``:
    the kubelet of the image refuses cgroup v1, which this machine has. ``kubeadm_patches``: the
    directory of the image with patches for what kubeadm makes, if it has one.
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
    ours = [_NO_CGROUP_V2] if fail_cgroup_v1_patch else []
    ours += [_PATCHES.format(kubeadm_patches)] if kubeadm_patches else []
    if ours:  # first, so that a patch of the user's has the last word
        made["kubeadmConfigPatches"] = [*ours, *made.get("kubeadmConfigPatches", [])]
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


def node_names(config: ClusterConfig) -> list[str]:
    """The containers that kind makes: ``NAME-worker``, ``NAME-worker2``, …"""
    count: Counter[str] = Counter()
    names = []
    for node in wanted_nodes(config):
        role = node["role"]
        count[role] += 1
        number = count[role]
        names.append(f"{config.name}-{role}{number if number > 1 else ''}")
    return names


def ports_wanted(config: ClusterConfig) -> tuple[Port, ...]:
    """The ports that the nodes are to publish; those without ``host`` need a free one."""
    return tuple(port for node in wanted_nodes(config) for port in ports_of(node))


def api_wanted(config: ClusterConfig, port: int | None) -> Port:
    """Where the API server is to listen on this host; ``port`` unless the user's file has one."""
    networking = config.kind_document.get("networking", {})
    address = networking.get("apiServerAddress", LOOPBACK_ADDRESS)
    return Port(address, networking.get("apiServerPort") or port, API_PORT, "tcp")


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
