"""Remove what the project has deployed, or report what goes with its cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context, emit_plan

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "profile": {"type": "str"},
    "with_cluster": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Uninstall the project's releases and delete its record from the cluster.

    Takes ``project`` (its directory), ``profile``, ``with_cluster`` (the caller removes the whole
    cluster next, so nothing is removed here) and ``force`` (even though others are deployed on that
    cluster).
    Returns ``changed`` and the ``plan``, which says what has gone or goes with the cluster. In
    check mode nothing is removed.

    Raises:
        LocalloopError (exit 1): the cluster's reason where it does not run (``cluster_stopped``),
            unless the whole cluster goes; ``uninstall_failed``, and the record stays then.
        UsageError (exit 2): ``cluster_not_ours``, ``cluster_shared``, ``cluster_unseen``,
            ``record_unreadable``, ``tool_missing``, ``tool_too_old``, ``no_transaction``,
            ``not_exclusive``, ``config_missing``, ``config_invalid``, ``profile_unknown``.
    """
    from ..config.project import load_project
    from ..plan.cluster_verdict import require_own
    from ..release.remove import goes_with_cluster, removal_plan, remove_project
    from ..report.journal import attach_or_refuse
    from ..session import Session

    with_cluster = params["with_cluster"]
    if not context.check:
        journal = attach_or_refuse(os.environ)
        if with_cluster:
            journal.require_exclusive()
    project = load_project(Path(params["project"]), profile=params.get("profile") or None)
    session = Session(project, os.environ, writes=not context.check)
    if with_cluster:
        require_own(session, "removed")
    plan = removal_plan(session, with_cluster=with_cluster, force=params["force"])
    emit_plan(plan, context)
    changed = bool(plan.with_step("remove") or plan.serial) and not with_cluster
    if not context.check:
        context.emit({"event": "plan", "plan": plan.as_dict()})
        act = goes_with_cluster if with_cluster else remove_project
        plan = act(session, plan, context.emit)
    return {"changed": changed, "plan": plan.as_dict()}
