"""Build what the plan builds and publish it under immutable tags."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, session_of

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    from ..plan.model import Plan
    from ..publish.images import build_images
    from ..transaction.transaction import new_id

    plan = Plan.from_dict(params["plan"])
    building = plan.with_step("build")
    if building and not context.check:
        session = session_of(plan, os.environ)
        tag = context.transaction or new_id(os.environ)
        plan = build_images(session, plan, tag, context.emit)
        context.emit({"event": "plan", "plan": plan.as_dict()})
    return {"changed": bool(building), "plan": plan.as_dict()}
