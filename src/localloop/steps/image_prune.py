"""Remove the project's old images from the registry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .context import Context, emit_plan

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "keep": {"type": "int", "default": 10},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Remove all but the newest images of each component, except those in use.

    Takes ``project`` (its directory) and ``keep``, the number of images of each component that stay
    in any case. Images that a pod, a workload or the record of any project names stay as well.
    Returns ``changed`` and the ``plan`` with its results. In check mode nothing is removed.

    Raises:
        LocalloopError (exit 1): the reason of the cluster or the registry where one of them does
            not run (``cluster_missing``, ``registry_missing``); ``registry_unreachable``,
            ``registry_error``, ``prune_failed``.
        UsageError (exit 2): ``bad_keep``, ``no_transaction``, ``not_exclusive``,
            ``config_missing``, ``config_invalid``.
    """
    from ..config.project import load_project
    from ..publish.prune import prune, prune_plan
    from ..report.journal import attach_or_refuse
    from ..session import Session

    if params["keep"] < 0:
        raise UsageError("bad_keep", f"keep is {params['keep']}: it has to be 0 or more")
    if not context.check:
        attach_or_refuse(os.environ).require_exclusive()
    session = Session(load_project(Path(params["project"])), os.environ, writes=not context.check)
    plan = prune_plan(session, keep=params["keep"])
    emit_plan(plan, context)
    if not context.check:
        context.emit({"event": "plan", "plan": plan.as_dict()})
        plan = prune(session, plan, context.emit)
    return {"changed": bool(plan.with_step("prune")), "plan": plan.as_dict()}
