"""The cluster's ports on this host: chosen once, saved, and used again."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..config.model import Port
from ..errors import LocalloopError
from ..system.paths import cluster_dir, write_private

RANGES = {"api": range(26000, 27000), "registry": range(25000, 26000)}
_TAKEN = {"api": "api_port_taken", "registry": "registry_port_taken"}
_NODE_RANGE = range(27000, 28000)


def port_is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Whether nothing listens on ADDRESS:PORT (TCP) or on all addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def choose_port(purpose: str, name: str, *, configured: int | None, own: int | None) -> int:
    """The port for a container that is about to be created.

    In this order: the configured one; ``own``, the port of a running container that is going to be
    replaced; the saved one; the first free one. The search starts at a port that depends on the
    name, so that clusters created at the same time are unlikely to choose the same one.

    ``purpose`` is ``api``, ``registry`` or a node's port as text (``30080/tcp``). Raises
    ``LocalloopError``: ``api_port_taken``, ``registry_port_taken`` or ``port_taken``.
    """
    if configured:
        if configured == own or port_is_free(configured):
            return configured
        raise LocalloopError(
            _TAKEN[purpose],
            f"port {configured} on 127.0.0.1, configured for the {purpose}, is taken",
            hint=f"Stop what listens there (`ss -ltnp 'sport = :{configured}'`),"
            f" or configure another port.",
        )
    if own:
        return own
    kept = saved_ports(name).get(purpose)
    ports = RANGES.get(purpose, _NODE_RANGE)
    begin = zlib.crc32(f"{name}{'' if purpose in RANGES else purpose}".encode()) % len(ports)
    candidates: tuple[int, ...] = (*ports[begin:], *ports[:begin])
    for port in (kept, *candidates) if kept else candidates:
        if port_is_free(port):
            return port
    raise LocalloopError(
        _TAKEN.get(purpose, "port_taken"),
        f"no port from {ports[0]} to {ports[-1]} is free on 127.0.0.1",
    )


def choose_ports(
    wanted: Sequence[Port], name: str, listed: Sequence[Mapping[str, Any]], *, api_port: int | None
) -> tuple[int, dict[Port, int]]:
    """The ports on this host of a cluster that is about to be created: the API server's, and the
    free ones that are ``wanted`` without a number.

    ``listed`` are the containers that it replaces, whose ports count as free. Raises
    ``LocalloopError`` (``api_port_taken``, ``port_taken``) for one that something else holds.
    """
    held = {
        f"{port['PrivatePort']}/{port['Type']}": int(port["PublicPort"])
        for container in listed
        for port in container.get("Ports") or ()
        if port.get("PublicPort")
    }
    api = choose_port("api", name, configured=api_port, own=held.get("6443/tcp"))
    free = {}
    for port in wanted:
        key = node_port(port)
        if port.host is None:
            free[port] = choose_port(key, name, configured=None, own=held.get(key))
        elif port.host not in held.values() and port.protocol == "tcp":
            _require_free(port)
    return api, free


def node_port(port: Port) -> str:
    """The node's side of a published port, as Docker writes it: ``30080/tcp``."""
    return f"{port.node}/{port.protocol}"


def _require_free(port: Port) -> None:
    if port.host is not None and not port_is_free(port.host, port.address):
        raise LocalloopError(
            "port_taken",
            f"port {port.host} on {port.address}, which `cluster.ports` publishes, is taken",
            hint=f"Stop what listens there (`ss -ltnp 'sport = :{port.host}'`), or change"
            " `cluster.ports` in localloop.yml.",
        )


def saved_ports(name: str) -> dict[str, int]:
    """The ports that the cluster's containers had when last seen, by purpose."""
    try:
        found = json.loads((cluster_dir(name) / "ports.json").read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, int)}


def save_port(purpose: str, name: str, port: int) -> None:
    """Save a port, so that a new container gets the same one. Raises ``OSError``."""
    save_ports(name, {purpose: port})


def save_ports(name: str, ports: Mapping[str, int]) -> None:
    """Save ports by purpose, beside those that are saved already. Raises ``OSError``."""
    saved = saved_ports(name)
    if any(saved.get(purpose) != port for purpose, port in ports.items()):
        content = json.dumps({**saved, **ports}, sort_keys=True).encode()
        write_private(cluster_dir(name) / "ports.json", content)
