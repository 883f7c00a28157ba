"""Find out what the cluster needs, and fetch its kubeconfig if it runs."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import Any

from ..system.docker import Docker
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Say what has to be done about the cluster, and fetch its kubeconfig if it runs.

    Takes ``name``. Returns ``changed`` (whether the kubeconfig was written), ``cluster`` (a
    ``ClusterState``) and ``kubeconfig`` (its path). Check mode writes nothing.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``docker_error``, ``kubeconfig_missing``.
        UsageError (exit 2): ``docker_host_refused``, ``tool_missing``.
    """
    from ..cluster.kubeconfig import ensure_kubeconfig
    from ..cluster.ready import connect, is_starting, restarts, serves
    from ..cluster.state import inspect_cluster, kubeconfig_path

    name = params["name"]
    state = inspect_cluster(Docker(), name)
    changed = False
    if state.verdict == "ok" and state.ours:
        changed = ensure_kubeconfig(name, state.api, os.environ, check=context.check)
        if not serves(name) and not (
            ensure_kubeconfig(name, state.api, os.environ, renew=True, check=context.check)
            and serves(name)
        ):
            state = replace(state, verdict="restart", reason="cluster_not_answering")
        elif (young := restarts(state.nodes)) and is_starting(connect(name), young):
            state = replace(state, verdict="start", reason="cluster_starting")
    return {
        "changed": changed,
        "cluster": asdict(state),
        "kubeconfig": str(kubeconfig_path(name)),
    }
