"""Take the project's charts back to what an earlier transaction deployed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context, tell_plan

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "transaction": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Roll back, pass the readiness gate and settle the record.

    ``transaction``: whose states the charts go back to; empty means the state before now. Returns
    ``changed``, the ``plan`` with its results, and what the ``gate`` saw.

    Raises ``LocalloopError`` where the cluster does not run, or where Helm or the gate fails, and
    ``UsageError`` where the state is unknown or cannot be had any more, or without a transaction.
    """
    from ..config.project import load_project
    from ..release.rollback import go_back, plan_back
    from ..report.journal import attach_or_refuse
    from ..session import Session

    journal = None if context.check else attach_or_refuse(os.environ)
    session = Session(load_project(Path(params["project"])), os.environ, writes=not context.check)
    plan = plan_back(session, params["transaction"] or None)
    tell_plan(plan, context)
    gate: dict[str, Any] = {"status": "not_run"}
    if journal is not None:
        context.emit({"event": "plan", "plan": plan.as_dict()})
        plan, seen = go_back(session, plan, journal, context.emit)
        gate = seen.as_dict()
    return {"changed": bool(plan.with_step("rollback")), "plan": plan.as_dict(), "gate": gate}
