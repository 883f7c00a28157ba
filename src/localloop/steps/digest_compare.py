"""Compare what was built with what the pods run: a release of the same digests is dropped."""

from __future__ import annotations

from typing import Any

from . import Context

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    from ..decide import with_built_images
    from ..plan import Plan

    plan = Plan.from_dict(params["plan"])
    if not context.check and plan.with_step("release"):
        wanted = plan.with_step("release")
        plan = with_built_images(plan)
        for part in wanted:
            if plan.components[part.name].skip:
                text = f"skip: {plan.components[part.name].skip}"
                context.emit(
                    {"event": "progress", "component": part.name, "step": "release", "text": text}
                )
        context.emit({"event": "plan", "plan": plan.as_dict()})
    return {"changed": False, "plan": plan.as_dict()}
