"""Find out what the bundled cluster needs, and fetch its kubeconfig if it runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..cluster.ports import choose_port, save_port, saved_ports
from ..cluster.state import ensure_kubeconfig, inspect_cluster, kubeconfig_path
from ..errors import LocalloopError
from ..system.docker import Docker
from ..system.paths import cluster_dir
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "api_port": {"type": "int", "default": 0},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Say what has to be done about the bundled cluster, and fetch its kubeconfig if it runs.

    Takes ``name`` and ``api_port`` (0: the one that it had, else a free one).
    Returns ``changed`` (whether the kubeconfig was written), ``cluster`` (a ``ClusterState``),
    ``kubeconfig`` (its path) and ``api_port``. Check mode writes nothing.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``docker_error``, ``api_port_taken``,
            ``kubeconfig_missing``.
        UsageError (exit 2): ``docker_host_refused``.
    """
    name = params["name"]
    docker = Docker()
    state = inspect_cluster(docker, name)
    own = int(state.api.rpartition(":")[2]) if state.api else None
    changed = False
    if state.verdict == "ok":
        try:
            changed = ensure_kubeconfig(docker, name, check=context.check)
        except LocalloopError:
            if not state.starting:  # the node writes it early, but not at once
                raise
    if own and not context.check and cluster_dir(name).is_dir():
        save_port("api", name, own)
    port = own
    if state.verdict == "create":
        port = choose_port("api", name, configured=params["api_port"] or None, own=None)
    return {
        "changed": changed,
        "cluster": asdict(state),
        "kubeconfig": str(kubeconfig_path(name)),
        "api_port": port or saved_ports(name).get("api"),
    }
