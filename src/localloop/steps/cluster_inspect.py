"""Find out what the cluster needs, and fetch its kubeconfig if it runs."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..system.docker import Docker
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "project": {"type": "path"},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Say what has to be done about the cluster, and fetch its kubeconfig if it runs.

    Takes ``name``, and ``project`` (its directory) for a cluster that localloop did not create:
    that is found by the project's context, and nothing is ever to be done about it.
    Returns ``changed`` (whether the kubeconfig was written), ``cluster`` (a ``ClusterState``) and
    ``kubeconfig`` (its path). Check mode writes nothing.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``docker_error``, ``kubeconfig_missing``.
        UsageError (exit 2): ``docker_host_refused``, ``tool_missing``; what there is against the
            project's context (``cluster_unreachable``, ``context_missing``, …).
    """
    if params["project"]:
        return _found(Path(params["project"]))
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


def _found(root: Path) -> dict[str, Any]:
    from ..config.project import load_project
    from ..session import Session

    session = Session(load_project(root), os.environ, writes=False)
    return {
        "changed": False,
        "cluster": asdict(session.cluster),
        "kubeconfig": str(session.kubeconfig),
    }
