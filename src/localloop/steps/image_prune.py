"""Remove the project's old images from the registry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .context import Context, tell_plan

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "keep": {"type": "int", "default": 10},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Remove old images of the project from the registry, and free their space.

    Takes ``project`` (its directory) and ``keep`` (how many of the newest images of each component
    to keep). Images that a pod, a workload or the record of any project names are kept too.
    Returns ``changed`` (whether a component has the step ``prune``) and ``plan`` with what was
    removed. Needs a transaction that has the cluster for itself. Check mode removes nothing.

    Raises:
        LocalloopError (exit 1): ``prune_failed``, ``registry_error``, ``registry_unreachable``; a
            reason of the cluster or its registry, such as ``cluster_stopped``, if it does not run.
        UsageError (exit 2): ``bad_keep``, ``no_transaction``, ``config_missing``,
            ``config_invalid``.
        BusyError (exit 75): ``locked``.
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
    tell_plan(plan, context)
    if not context.check:
        context.emit({"event": "plan", "plan": plan.as_dict()})
        plan = prune(session, plan, context.emit)
    return {"changed": bool(plan.with_step("prune")), "plan": plan.as_dict()}
