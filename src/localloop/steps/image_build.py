"""Build what the plan says to build and publish it under immutable tags."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Build what the plan builds, publish it under tags that never move, and load it into nodes.

    Images are loaded where the nodes pull from no registry. Takes ``plan``. Returns ``changed``
    (whether a component has the step ``build`` or ``load``) and ``plan`` with the published images.
    Check mode returns the plan unchanged.

    Raises:
        LocalloopError (exit 1): ``build_failed``, ``image_not_left``, ``image_not_loaded``,
            ``image_platform``, ``image_taken``, ``need_not_published``, ``secret_missing``,
            ``ssh_agent_missing``, ``unhashed_arg_failed``, ``disk_full``, ``builder_lost``,
            ``push_failed``, ``push_lost``, ``registry_corrupt``, ``registry_unreachable``,
            ``config_moved``. Images that could be built are published all the same.
        UsageError (exit 2): ``plan_unreadable``, ``builder_unfit``, ``builder_unknown``,
            ``input_missing``.
    """
    from ..publish.images import build_images
    from ..publish.load import load_planned
    from ..transaction.transaction import new_id

    plan = plan_of(params["plan"])
    acting = bool(plan.with_step("build") or plan.with_step("load"))
    settling = bool(plan.route.loads and plan.with_step("settle"))
    if (acting or settling) and not context.check:
        session = session_of(plan, os.environ)
        tag = context.transaction or new_id(os.environ)
        plan = build_images(session, plan, tag, context.emit)
        plan = load_planned(session, plan, context.emit)
        context.emit({"event": "plan", "plan": plan.as_dict()})
    return {"changed": acting, "plan": plan.as_dict()}
