"""Restart, one by one, the pods that still use a node file's earlier bytes."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Restart, one at a time, the pods that still use a node file's earlier bytes.

    Takes ``plan``. Returns ``changed`` (whether a pod was restarted; in check mode whether a
    component has the step ``reconcile``) and ``plan`` with the counts. Needs an open transaction.

    Raises:
        LocalloopError (exit 1): ``reconcile_failed``, ``apiserver_unreachable``, ``config_moved``.
        UsageError (exit 2): ``plan_unreadable``, ``no_transaction``.
        BusyError (exit 75): ``record_moved``.
    """
    plan = plan_of(params["plan"])
    reconciling = plan.with_step("reconcile")
    if reconciling and not context.check:
        from ..node_files.reconcile import reconcile_pods
        from ..report.journal import attach_or_refuse

        attach_or_refuse(os.environ)
        plan = reconcile_pods(session_of(plan, os.environ), plan, context.emit)
        reconciling = [part for part in plan.with_step("reconcile") if part.file.restarted]
    return {"changed": bool(reconciling), "plan": plan.as_dict()}
