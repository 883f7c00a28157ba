"""Release the plan's charts with Helm, each marked as settling in the record first."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, session_of

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    from ..plan.model import Plan

    plan = Plan.from_dict(params["plan"])
    releasing = plan.with_step("release")
    if releasing and not context.check:
        from ..gate.run import NotReadyError
        from ..release.charts import release_charts
        from ..release.failure import ReleaseFailedError
        from ..report.journal import attach_or_refuse

        session = session_of(plan, os.environ)
        journal = attach_or_refuse(os.environ)
        try:
            plan = release_charts(session, plan, journal, context.emit)
        except (ReleaseFailedError, NotReadyError) as error:
            if session.project.on_failure != "rollback":
                raise
            from ..release.rollback import after_failure

            raise after_failure(session, plan, journal, context.emit, error) from error
    return {"changed": bool(releasing), "plan": plan.as_dict()}
