"""Settle in the cluster's record what the gate has proven."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {
    "plan": {"type": "dict", "required": True},
    "gate": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Settle in the cluster's record what the gate has proven.

    Takes ``plan`` and ``gate`` (what ``readiness_gate`` returned).
    Returns ``changed`` (whether the record was written), ``settled`` (components that had steps)
    and ``plan`` as it was given. Needs an open transaction. Check mode writes nothing.

    Raises:
        LocalloopError (exit 1): ``config_moved``, ``apiserver_unreachable``, ``release_gone``,
            ``changed_by_hand``.
        UsageError (exit 2): ``plan_unreadable``, ``no_transaction``.
        BusyError (exit 75): ``record_moved``.
    """
    from ..gate import settle
    from ..report.journal import attach_or_refuse

    plan = plan_of(params["plan"])
    unsettled = [part.name for part in plan.components.values() if part.steps]
    if context.check:
        return {"changed": bool(unsettled), "settled": unsettled, "plan": params["plan"]}
    session = session_of(plan, os.environ)
    journal = attach_or_refuse(os.environ)
    written = settle.settle(session, plan, context.emit, settle.completed_jobs(params["gate"]))
    if plan.cluster.get("inputs") or plan.cluster.get("lacks"):
        from ..record.cluster_inputs import accept

        accept(session, plan.cluster, journal.id, context.emit)
    return {"changed": written, "settled": unsettled, "plan": params["plan"]}
