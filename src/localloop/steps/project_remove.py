"""Remove what the project has deployed, or say what goes with its cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context, tell_plan

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "with_cluster": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Uninstall the project's releases and delete its record from the cluster.

    Takes ``project`` (its directory), ``with_cluster`` (remove nothing here, because the caller
    removes the cluster next) and ``force`` (even if something else is deployed on that cluster).
    Returns ``changed`` (whether something was removed here) and ``plan`` with what was removed, or
    will be gone with the cluster. Needs an open transaction, which for ``with_cluster`` has the
    cluster for itself. Check mode removes nothing.

    Raises:
        LocalloopError (exit 1): ``uninstall_failed``; a reason of the cluster, such as
            ``cluster_stopped``, if it does not run; ``docker_unreachable``.
        UsageError (exit 2): ``cluster_shared``, ``cluster_unseen``, ``no_transaction``,
            ``config_missing``, ``config_invalid``.
        BusyError (exit 75): ``locked``.
    """
    from ..config.project import load_project
    from ..release.remove import goes_with_cluster, removal_plan, remove_project
    from ..report.journal import attach_or_refuse
    from ..session import Session

    with_cluster = params["with_cluster"]
    if not context.check:
        journal = attach_or_refuse(os.environ)
        if with_cluster:
            journal.require_exclusive()
    session = Session(load_project(Path(params["project"])), os.environ, writes=not context.check)
    plan = removal_plan(session, with_cluster=with_cluster, force=params["force"])
    tell_plan(plan, context)
    changed = bool(plan.with_step("remove") or plan.serial) and not with_cluster
    if not context.check:
        context.emit({"event": "plan", "plan": plan.as_dict()})
        act = goes_with_cluster if with_cluster else remove_project
        plan = act(session, plan, context.emit)
    return {"changed": changed, "plan": plan.as_dict()}
