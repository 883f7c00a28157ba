"""Find out what the cluster's registry needs, and its port."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cluster.containers import NodeContainer, list_nodes, node_container
from ..cluster.hosting import hosting, may_publish
from ..cluster.mirrors import hosts_toml, mirrors, require_wireable, unwired
from ..cluster.ports import choose_port, save_port
from ..cluster.registry_check import check_registry, not_repaired
from ..cluster.registry_state import NETWORK, RegistryState, registry_not_ours
from ..cluster.route import Route
from ..system.docker import Docker
from ..system.paths import cluster_dir
from .context import Context

if TYPE_CHECKING:
    from ..session import Session

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
    cluster that localloop did not create, ``project`` (its directory), whose ``registry`` says
    which nodes pull from it; where the images are in another registry there is nothing to do.
    ``tried`` is what this run has already done about it (``start``, ``create``), and ``wait`` how
    many seconds that may take.
    Returns ``changed`` (always False), ``registry`` (a ``RegistryState``), ``wired`` (whether every
    node that has to knows it by its address on the host), ``unwired`` (those that do not),
    ``network`` (Docker's, in which nodes pull from it; empty if none does), ``nodes`` (those),
    ``port``, ``address``, for the nodes' mirrors ``mirrors`` (directories) and ``hosts_toml``, and
    ``hosting``, what the cluster's ConfigMap is to say; empty where that is somebody else's. In
    check mode nothing was tried, and nothing is remembered.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``docker_error``, ``registry_port_taken``,
            ``registry_not_repaired``.
        UsageError (exit 2): ``docker_host_refused``, ``registry_not_ours``,
            ``node_not_wireable``; what there is against the project's context.
    """
    name, configured = params["name"], params["port"] or None
    docker = Docker()
    session = _session(params["project"])
    if session is not None and not session.route.keeps_store:
        return _elsewhere(session.route)
    pulling = _nodes(docker, name) if session is None else session.cluster.pulling
    network = NETWORK if session is None else session.route.network
    nodes = sorted(node.name for node in pulling)
    running = {node.name: node.container_id for node in pulling if node.state == "running"}
    state = check_registry(
        docker,
        name,
        running,
        wanted_port=configured,
        network=network,
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
    if session is not None:
        require_wireable(docker, name, nodes, port)
    left = unwired(docker, name, nodes, port) if port else nodes
    publishes = bool(network) and (session is None or may_publish(session.kube, name))
    return {
        "changed": False,
        "registry": asdict(state),
        "wired": not network or (bool(nodes) and not left),
        "unwired": left,
        "network": network,
        "nodes": nodes,
        "port": port,
        "address": f"127.0.0.1:{port}",
        "mirrors": mirrors(port) if port else [],
        "hosts_toml": hosts_toml(name),
        "hosting": hosting(name, port) if port and publishes else "",
    }


def _session(root: str | None) -> Session | None:
    """The session on a cluster that localloop did not create; None for its own."""
    if not root:
        return None
    from ..config.project import load_project
    from ..session import Session

    return Session(load_project(Path(root)), os.environ, writes=False)


def _nodes(docker: Docker, name: str) -> tuple[NodeContainer, ...]:
    return tuple(node_container(each) for each in list_nodes(docker, name))


def _elsewhere(route: Route) -> dict[str, Any]:
    """The result for a cluster whose images are in a registry that is not localloop's."""
    return {
        "changed": False,
        "registry": asdict(RegistryState(verdict="ok")),
        "wired": True,
        "unwired": [],
        "network": "",
        "nodes": [],
        "port": None,
        "address": route.push,
        "mirrors": [],
        "hosts_toml": "",
        "hosting": "",
    }
