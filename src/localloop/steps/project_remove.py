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

    ``with_cluster``: everything goes with the cluster, which the caller removes next; nothing is
    removed here, and the plan says what will be gone. ``force``: even though others are deployed
    there. Returns ``changed`` and the ``plan`` with its results.

    Raises ``LocalloopError`` where the cluster does not run or a release cannot be uninstalled, and
    ``UsageError`` without a transaction, or where others are deployed on a cluster that is to go.
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
