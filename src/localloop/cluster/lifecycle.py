"""Create, start, stop and remove the cluster that localloop makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from ..config.model import ClusterConfig
from ..errors import LocalloopError, UsageError
from ..system.docker import Docker
from ..system.paths import cluster_dir, write_private
from . import kind, owner
from .containers import CONTROL_PLANE, Listed, NodeContainer, Nodes, judge_nodes, list_nodes
from .kind_config import api_wanted, kind_config, node_names, ports_wanted, rendered
from .kubeconfig import ensure_kubeconfig
from .node_images import kubeadm_patches, refuses_cgroup_v1
from .ports import choose_ports, node_port, save_ports
from .ready import (
    connect,
    is_starting,
    restarts,
    version,
    wait_until_ready,
    wait_until_serving,
)
from .registry_state import LABEL_CLUSTER
from .state import not_ours

Say = Callable[[str], None]

# A node that was just started may need this long until its API server answers.
SERVING_SECONDS = 30.0


def look(docker: Docker, name: str) -> Nodes:
    """The nodes of that name; ``UsageError`` (``cluster_not_ours``) if they are not localloop's."""
    found = judge_nodes(list_nodes(docker, name), owner.noted(name))
    if found.nodes and not found.ours:
        raise not_ours(name)
    return found


def create(
    docker: Docker,
    wanted: ClusterConfig,
    image: str,
    *,
    api_port: int | None,
    seconds: float,
    say: Say,
    environ: Mapping[str, str],
) -> None:
    """Create the cluster, in place of what is left of one of ours.

    ``seconds`` is how long the nodes may take to become Ready. Ports are chosen before anything is
    removed. Raises ``LocalloopError``: ``api_port_taken``, ``port_taken``, ``kind_failed``,
    ``cluster_not_ready``, ``tool_timeout``; ``UsageError``: ``cluster_not_ours``, ``tool_missing``,
    ``port_address_missing``.
    """
    name = wanted.name
    kind.require_kind()
    listed = list_nodes(docker, name)
    old = look(docker, name)
    api, free = choose_ports(ports_wanted(wanted), name, listed, api=api_wanted(wanted, api_port))
    _require_free_names(docker, wanted, listed)
    if old.nodes:
        say(f"deleting the nodes of {name}")
        kind.delete(name, environ=environ)
    mount = owner.begin(name, image)
    config = cluster_dir(name) / "kind.yaml"
    content = kind_config(
        wanted,
        owner=mount,
        api_port=api,
        free_ports=free,
        fail_cgroup_v1_patch=refuses_cgroup_v1(image),
        kubeadm_patches=kubeadm_patches(docker, image),
    )
    write_private(config, rendered(content))
    since = time.time()
    kind.create(name, config, image, say=say, environ=environ)
    save_ports(name, {"api": api, **{node_port(port): number for port, number in free.items()}})
    made = look(docker, name)
    ensure_kubeconfig(name, made.api, environ, renew=True)  # kind writes it in another order first
    kube = connect(name)
    nodes = [node.name for node in made.nodes]
    wait_until_ready(kube, nodes, since=since, restarted={}, seconds=seconds, say=say)
    owner.finish(name, version(kube))


def _require_free_names(docker: Docker, wanted: ClusterConfig, listed: Sequence[Listed]) -> None:
    """Refuse containers that are no nodes and have the names that kind gives to its nodes."""
    ours = {str(each["Names"][0]).removeprefix("/") for each in listed}
    for container in node_names(wanted):
        found = None if container in ours else docker.inspect_container(container)
        if found is None:
            continue
        old = (found["Config"].get("Labels") or {}).get(LABEL_CLUSTER) == wanted.name
        raise UsageError(
            "cluster_not_ours",
            f"a container {container} exists that is left of a cluster of localloop 0.1"
            if old
            else f"a container {container} exists that is no node of a kind cluster",
            hint="`localloop down --cluster` removes what is left of that cluster."
            if old
            else "Remove or rename it, or choose another cluster name (`cluster.name`,"
            " CLUSTER_NAME).",
        )


def start(
    docker: Docker, name: str, *, seconds: float, say: Say, environ: Mapping[str, str]
) -> bool:
    """Start the nodes that do not run, and restart those that run without serving, once.

    Nodes that something else has just started are waited for. Returns whether anything was done.
    Raises ``LocalloopError``: ``cluster_not_ready``, ``docker_error``, ``port_taken``,
    ``state_unwritable``; ``UsageError``: ``cluster_not_ours``.
    """
    found = look(docker, name)
    since = time.time()
    away = [node for node in found.nodes if node.state != "running"]
    if away:
        owner.restore(name)
    for node in away:
        say(f"starting {node.name} ({node.state})")
        _run(docker, node, name)
    restarted = restarts(found.nodes)
    restarted |= {node.name: since for node in away if node.state != "paused"}
    ensure_kubeconfig(name, look(docker, name).api, environ, renew=bool(away))
    kube = connect(name)
    if not wait_until_serving(kube, seconds=SERVING_SECONDS):
        for node in found.nodes:
            if node.role == CONTROL_PLANE:
                say(f"restarting {node.name}: its API server does not answer")
                docker.engine.restart(node.name)
                restarted[node.name] = since
    elif not away and not (restarted and is_starting(kube, restarted)):
        return False
    wait_until_ready(
        kube,
        [node.name for node in found.nodes],
        since=since,
        restarted=restarted,
        seconds=seconds,
        say=say,
    )
    return True


def _run(docker: Docker, node: NodeContainer, name: str) -> None:
    """Make Docker run a node that does not, and say what to do if it cannot."""
    try:
        if node.state == "paused":
            docker.engine.unpause(node.name)
        elif node.state in ("dead", "restarting"):
            docker.engine.restart(node.name)
        else:
            docker.engine.start(node.name)
    except LocalloopError as error:
        if error.reason != "docker_error":
            raise
        replace = "replace the cluster (what is in it is lost): `localloop bootstrap --recreate"
        taken = kind.taken_port(error.message)
        if taken:
            raise LocalloopError(
                "port_taken",
                f"cluster {name} was not started: a port of {node.name} is taken ({taken})",
                hint=f"Stop what listens there (`ss -ltunp`) and run this again, or {replace}"
                " --force`.",
            ) from error
        hint = f"Remove that cause and run this again, or {replace} --force`."
        raise LocalloopError(error.reason, error.message, hint=error.hint or hint) from error


def stop(docker: Docker, name: str) -> bool:
    """Stop the nodes and the registry where they run; everything is kept.

    Returns whether any ran.
    """
    nodes = [node for node in look(docker, name).nodes if node.state not in ("exited", "created")]
    for node in nodes:
        if node.state == "paused":
            docker.engine.unpause(node.name)
    running = [node.name for node in nodes]
    ours = {"label": [f"{LABEL_CLUSTER}={name}"], "status": ["running"]}
    running += [str(found["Id"]) for found in docker.containers(ours)]
    for container in running:
        docker.engine.stop(container)
    return bool(running)


def remove(docker: Docker, name: str, *, environ: Mapping[str, str]) -> bool:
    """Remove the nodes; returns whether there were any. Raises ``cluster_not_ours`` if not ours."""
    found = look(docker, name)
    if found.nodes:
        kind.delete(name, environ=environ)
    return bool(found.nodes)
