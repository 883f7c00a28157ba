"""Wait, bounded, until everything in the plan's scope is ready, or say why it is not."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {
    "plan": {"type": "dict", "required": True},
    "timeout": {"type": "float"},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Wait until everything in the plan's scope is ready, or say why it is not.

    Takes ``plan`` and ``timeout`` (seconds; by default the project's ``readiness.timeout``).
    Returns ``changed`` (always False), ``gate`` (a ``GateResult`` as data) and ``plan`` as it was
    given. In check mode ``gate`` is ``{"status": "not_run"}``.

    Raises:
        LocalloopError (exit 1): a reason of the gate, such as ``crash_loop``, ``timeout`` or
            ``apiserver_unreachable``; ``node_file_missing``, ``config_moved``. With
            ``on_failure: rollback`` charts have been rolled back by then.
        UsageError (exit 2): ``plan_unreadable``; ``no_transaction`` if it has to roll back outside
            a transaction.
    """
    from ..gate import run as gating

    plan = plan_of(params["plan"])
    if context.check:
        return {"changed": False, "gate": {"status": "not_run"}, "plan": params["plan"]}
    session = session_of(plan, os.environ)
    try:
        result = gating.run(session, plan, context.emit, timeout=params.get("timeout"))
    except gating.NotReadyError as error:
        if session.project.on_failure != "rollback":
            raise
        from ..release.rollback import after_failure
        from ..report.journal import attach_or_refuse

        journal = attach_or_refuse(os.environ)
        raise after_failure(session, plan, journal, context.emit, error) from error
    return {"changed": False, "gate": result.as_dict(), "plan": params["plan"]}
