"""Roll the project's charts back to what an earlier transaction deployed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context, emit_plan

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "profile": {"type": "str"},
    "transaction": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Roll the charts back, pass the readiness gate and settle the record.

    Takes ``project`` (its directory), ``profile`` and ``transaction``, whose states the charts go
    back to; empty means the state before the newest one. Returns ``changed``, the ``plan`` with its
    results, and what the ``gate`` saw. In check mode nothing is rolled back and the gate is
    ``not_run``.

    Raises:
        LocalloopError (exit 1): the cluster's reason where it does not run (``cluster_missing``,
            ``cluster_stopped``); ``release_failed``; a reason of the gate.
        UsageError (exit 2): ``unknown_transaction``, ``nothing_before``, ``revision_gone``,
            ``registry_lost``, ``tool_missing``, ``tool_too_old``, ``no_transaction``,
            ``config_missing``, ``config_invalid``, ``profile_unknown``.
        BusyError (exit 75): ``release_pending``, ``record_moved``, ``cluster_moved``.
    """
    from ..config.project import load_project
    from ..release.rollback import go_back, plan_back
    from ..report.journal import attach_or_refuse
    from ..session import Session

    journal = None if context.check else attach_or_refuse(os.environ)
    project = load_project(Path(params["project"]), profile=params.get("profile") or None)
    session = Session(project, os.environ, writes=not context.check)
    plan = plan_back(session, params["transaction"] or None)
    emit_plan(plan, context)
    gate: dict[str, Any] = {"status": "not_run"}
    if journal is not None:
        context.emit({"event": "plan", "plan": plan.as_dict()})
        plan, seen = go_back(session, plan, journal, context.emit)
        gate = seen.as_dict()
    return {"changed": bool(plan.with_step("rollback")), "plan": plan.as_dict(), "gate": gate}
