"""Put the plan's node files on every node of the cluster."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Put the plan's node files on every node of the cluster.

    Takes ``plan``. Returns ``changed`` (whether a component has the step ``put``) and ``plan`` with
    the pods that still use earlier bytes. Needs an open transaction. Check mode returns the plan
    unchanged.

    Raises:
        LocalloopError (exit 1): ``put_failed``, ``node_file_damaged``, ``node_file_missing``,
            ``file_not_exported``, ``registry_lost``, ``registry_corrupt``, ``config_moved``.
        UsageError (exit 2): ``plan_unreadable``, ``no_transaction``.
        BusyError (exit 75): ``record_moved``, ``cluster_moved``.
    """
    plan = plan_of(params["plan"])
    putting = plan.with_step("put")
    if putting and not context.check:
        from ..node_files.put import put_files
        from ..report.journal import attach_or_refuse

        session = session_of(plan, os.environ)
        plan = put_files(session, plan, attach_or_refuse(os.environ), context.emit)
        context.emit({"event": "plan", "plan": plan.as_dict()})
    return {"changed": bool(putting), "plan": plan.as_dict()}
