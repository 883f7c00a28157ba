"""The ports of the bundled cluster on 127.0.0.1: chosen once, saved, and used again."""

from __future__ import annotations

import json
import socket
import zlib

from ..errors import LocalloopError
from ..system.paths import cluster_dir, write_private

PORTS = {"api": range(26000, 27000), "registry": range(25000, 26000)}
_TAKEN = {"api": "api_port_taken", "registry": "registry_port_taken"}


def port_is_free(port: int) -> bool:
    """Whether nothing listens on 127.0.0.1:PORT or on all addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(purpose: str, name: str, *, configured: int | None, own: int | None) -> int:
    """The port for a container that is about to be created.

    In this order: the configured one; ``own``, the port of a running container that is going to be
    replaced; the saved one; the first free one. The search starts at a port that depends on the
    name, so that clusters created at the same time are unlikely to choose the same one.

    Raises ``LocalloopError``: ``api_port_taken`` or ``registry_port_taken``.
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
    ports = PORTS[purpose]
    begin = zlib.crc32(name.encode()) % len(ports)
    candidates: tuple[int, ...] = (*ports[begin:], *ports[:begin])
    for port in (kept, *candidates) if kept else candidates:
        if port_is_free(port):
            return port
    raise LocalloopError(
        _TAKEN[purpose], f"no port from {ports[0]} to {ports[-1]} is free on 127.0.0.1"
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
    saved = saved_ports(name)
    if saved.get(purpose) != port:
        content = json.dumps({**saved, purpose: port}, sort_keys=True).encode()
        write_private(cluster_dir(name) / "ports.json", content)
