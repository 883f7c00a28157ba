"""Release the plan's charts with Helm, each marked as settling in the record first."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Release the plan's charts with Helm, one after another.

    Takes ``plan``. Returns ``changed`` (whether a chart has the step ``release``) and ``plan`` with
    the new revisions. Needs an open transaction. Check mode returns the plan unchanged.

    Raises:
        LocalloopError (exit 1): ``release_failed``, ``first_install_failed``,
            ``field_immutable``, ``not_deleted``, ``namespace_terminating``, ``crd_failed``,
            ``crds_unreadable``, ``release_undecodable``, ``manifest_unreadable``, ``tool_missing``,
            ``config_moved``; a reason of the gate if a chart that another one ``needs`` is not
            ready. With ``on_failure: rollback`` charts have been rolled back by then.
        UsageError (exit 2): ``plan_unreadable``, ``no_transaction``; ``kustomize_failed``,
            ``dependencies_failed``, ``crd_version_stored`` or a reason of an input if a file has
            changed since the plan was made.
        BusyError (exit 75): ``release_pending``, ``record_moved``, ``cluster_moved``.
    """
    plan = plan_of(params["plan"])
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
