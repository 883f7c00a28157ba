"""Find out what the cluster's registry needs, and its port."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..cluster.containers import list_nodes
from ..cluster.ports import choose_port, save_port
from ..cluster.state import inspect_registry, is_wired
from ..system.docker import Docker
from ..system.paths import cluster_dir
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int", "default": 0},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Say what has to be done about the cluster's registry.

    Takes ``name`` (the cluster's) and ``port`` (0: the one that it had, else a free one).
    Returns ``changed`` (always False), ``registry`` (a ``RegistryState``), ``wired`` (whether
    every node knows it by its address on the host), ``nodes``, ``port`` and ``address``. Check
    mode does not remember the port.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``docker_error``, ``registry_port_taken``.
        UsageError (exit 2): ``docker_host_refused``.
    """
    name, configured = params["name"], params["port"] or None
    docker = Docker()
    state = inspect_registry(docker, name, registry_port=configured)
    port = state.port
    if state.verdict in ("create", "recreate"):
        port = choose_port("registry", name, configured=configured, own=state.held)
    elif port and not context.check and cluster_dir(name).is_dir():
        save_port("registry", name, port)
    nodes = [str(each["Names"][0]).removeprefix("/") for each in list_nodes(docker, name)]
    return {
        "changed": False,
        "registry": asdict(state),
        "wired": bool(port) and is_wired(docker, nodes, port or 0),
        "nodes": sorted(nodes),
        "port": port,
        "address": f"127.0.0.1:{port}",
    }
