"""Find out what the cluster's registry needs, and its port."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..cluster.containers import list_nodes
from ..cluster.ports import choose_port, save_port
from ..cluster.registry_check import check_registry, hosts_toml, mirrors, not_repaired, unwired
from ..cluster.registry_state import NETWORK, RegistryState, registry_not_ours
from ..system.docker import Docker
from ..system.paths import cluster_dir
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int", "default": 0},
    "project": {"type": "path"},
    "tried": {"type": "str", "choices": ["", "start", "create"], "default": ""},
    "wait": {"type": "int", "default": 0},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Say what has to be done about the cluster's registry.

    Takes ``name`` (the cluster's), ``port`` (0: the one that it had, else a free one) and, for a
    cluster that localloop did not create, ``project`` (its directory): no node pulls from
    the registry then, and where the cluster has one of its own there is nothing to do. ``tried``
    is what this run has already done about it (``start``, ``create``), and ``wait`` how many
    seconds that may take.
    Returns ``changed`` (always False), ``registry`` (a ``RegistryState``), ``wired`` (whether every
    node that has to knows it by its address on the host), ``unwired`` (those that do not),
    ``pulled`` (whether nodes pull from it), ``nodes``, ``port``, ``address``, and for the nodes'
    mirrors ``mirrors`` (directories) and ``hosts_toml``. In check mode nothing was
    tried, and nothing is remembered.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``docker_error``, ``registry_port_taken``,
            ``registry_not_repaired``.
        UsageError (exit 2): ``docker_host_refused``, ``registry_not_ours``; what there is against
            the project's context.
    """
    name, configured = params["name"], params["port"] or None
    docker = Docker()
    pulled = not params["project"]
    if not pulled and (elsewhere := _elsewhere(Path(params["project"]))):
        return elsewhere
    listed = list_nodes(docker, name) if pulled else ()
    found = {str(each["Names"][0]).removeprefix("/"): each for each in listed}
    nodes = sorted(found)
    running = {node: str(found[node]["Id"]) for node in nodes if found[node]["State"] == "running"}
    state = check_registry(
        docker,
        name,
        running,
        wanted_port=configured,
        network=NETWORK if pulled else "",
        tried="" if context.check else params["tried"],
        seconds=0.0 if context.check else params["wait"],
        writes=not context.check,
    )
    if state.verdict == "refuse":
        raise registry_not_ours(name)
    if state.verdict == "fail":
        raise not_repaired(docker, name, state, list(running))
    port = state.port
    if state.verdict in ("create", "recreate"):
        port = choose_port("registry", name, configured=configured, own=state.held)
    elif port and not context.check and cluster_dir(name).is_dir():
        save_port("registry", name, port)
    left = unwired(docker, name, nodes, port) if port else nodes
    return {
        "changed": False,
        "registry": asdict(state),
        "wired": not pulled or (bool(nodes) and not left),
        "unwired": left,
        "pulled": pulled,
        "nodes": nodes,
        "port": port,
        "address": f"127.0.0.1:{port}",
        "mirrors": mirrors(port) if port else [],
        "hosts_toml": hosts_toml(name),
    }


def _elsewhere(root: Path) -> dict[str, Any] | None:
    """The result for a cluster whose images are in a registry of its own; None for any other."""
    from ..config.project import load_project
    from ..session import Session

    route = Session(load_project(root), os.environ, writes=False).route
    if route.keeps_store:
        return None
    return {
        "changed": False,
        "registry": asdict(RegistryState(verdict="ok")),
        "wired": True,
        "unwired": [],
        "pulled": False,
        "nodes": [],
        "port": None,
        "address": route.push,
        "mirrors": [],
        "hosts_toml": "",
    }
