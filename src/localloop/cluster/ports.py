"""The cluster's ports on this host: chosen once, saved, and used again."""

from __future__ import annotations

import errno
import json
import socket
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..config.model import Port
from ..errors import LocalloopError, UsageError
from ..system.paths import cluster_dir, write_private

RANGES = {"api": range(26000, 27000), "registry": range(25000, 26000)}
_TAKEN = {"api": "api_port_taken", "registry": "registry_port_taken"}
_NODE_RANGE = range(27000, 28000)


_SOCKETS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def port_is_free(port: int, address: str = "127.0.0.1", protocol: str = "tcp") -> bool:
    """Whether nothing has ADDRESS:PORT, as far as can be seen: SCTP cannot, nor can a port below
    1024 without root. Docker binds it as root."""
    return _cannot_bind(port, address, protocol) not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


def _cannot_bind(port: int, address: str, protocol: str) -> int:
    """The ``errno`` of binding ADDRESS:PORT; 0 if it can be bound, or if that cannot be tried."""
    kind = _SOCKETS.get(protocol)
    if kind is None:
        return 0
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if protocol == "tcp":  # two UDP sockets with this option may have the same port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno or 0
    return 0


def choose_port(
    purpose: str,
    name: str,
    *,
    configured: int | None,
    own: int | None,
    address: str = "127.0.0.1",
    protocol: str = "tcp",
    without: Collection[int] = (),
) -> int:
    """The port for a container that is about to be created.

    In this order: the configured one; ``own``, the port of a running container that is going to be
    replaced; the saved one; the first free one on ``address``. None of ``without`` is chosen. The
    search starts at a port that depends on the name, so that clusters created at the same time are
    unlikely to choose the same one.

    ``purpose`` is ``api``, ``registry`` or a node's port as text (``30080/tcp``). Raises
    ``LocalloopError``: ``api_port_taken``, ``registry_port_taken`` or ``port_taken``.
    """
    if configured:
        if configured == own or port_is_free(configured, address):
            return configured
        raise LocalloopError(
            _TAKEN[purpose],
            f"port {configured} on {address}, configured for the {purpose}, is taken",
            hint=f"Stop what listens there (`ss -ltnp 'sport = :{configured}'`),"
            f" or configure another port.",
        )
    if own and own not in without:
        return own
    kept = saved_ports(name).get(purpose)
    ports = RANGES.get(purpose, _NODE_RANGE)
    begin = zlib.crc32(f"{name}{'' if purpose in RANGES else purpose}".encode()) % len(ports)
    candidates: tuple[int, ...] = (*ports[begin:], *ports[:begin])
    for port in (kept, *candidates) if kept else candidates:
        if port not in without and port_is_free(port, address, protocol):
            return port
    raise LocalloopError(
        _TAKEN.get(purpose, "port_taken"),
        f"no port from {ports[0]} to {ports[-1]} is free on {address}",
    )


def choose_ports(
    wanted: Sequence[Port],
    name: str,
    listed: Sequence[Mapping[str, Any]],
    *,
    api: Port,
) -> tuple[int, dict[Port, int]]:
    """The ports on this host of a cluster that is about to be created: the API server's, and the
    free ones that are ``wanted`` without a number.

    ``listed`` are the containers that it replaces, whose ports count as free; ``api`` is what is
    wanted for the API server. Raises ``LocalloopError`` (``api_port_taken``, ``port_taken``) for
    one that something else holds, ``UsageError`` (``port_address_missing``) for one on an address
    that this machine does not have.
    """
    held = {
        f"{port['PrivatePort']}/{port['Type']}": (int(port["PublicPort"]), str(port["Type"]))
        for container in listed
        for port in container.get("Ports") or ()
        if port.get("PublicPort")
    }
    for port in wanted:
        if (port.host, port.protocol) not in held.values():
            _require_free(port)
    fixed = {port.host for port in wanted if port.host is not None}
    own = held.get(node_port(api), (None, ""))[0]
    chosen = choose_port(
        "api", name, configured=api.host, own=own, address=api.address, without=fixed
    )
    without = {*fixed, chosen}
    free: dict[Port, int] = {}
    for port in wanted:
        if port.host is None and port not in free:
            key = node_port(port)
            free[port] = choose_port(
                key,
                name,
                configured=None,
                own=held.get(key, (None, ""))[0],
                address=port.address,
                protocol=port.protocol,
                without=without,
            )
            without.add(free[port])
    return chosen, free


def node_port(port: Port) -> str:
    """The node's side of a published port, as Docker writes it: ``30080/tcp``."""
    return f"{port.node}/{port.protocol}"


def _require_free(port: Port) -> None:
    problem = _cannot_bind(port.host or 0, port.address, port.protocol)
    if problem == errno.EADDRNOTAVAIL:
        raise UsageError(
            "port_address_missing",
            f"`cluster.ports` publishes a port on {port.address}, which is no address of this"
            " machine",
            hint="Choose one that `ip address` lists, 127.0.0.1, or 0.0.0.0 for all of them.",
        )
    if port.host is not None and problem == errno.EADDRINUSE:
        socket_kind = "u" if port.protocol == "udp" else "t"
        raise LocalloopError(
            "port_taken",
            f"port {port.host}/{port.protocol} on {port.address}, which `cluster.ports` publishes,"
            " is taken",
            hint=f"Stop what listens there (`ss -l{socket_kind}np 'sport = :{port.host}'`), or"
            " change `cluster.ports` in localloop.yml.",
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
