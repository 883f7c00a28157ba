"""Compare what was built with what runs, and drop the steps that would change nothing."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {"plan": {"type": "dict", "required": True}}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Drop the steps that would only put or release the bytes that run already.

    Takes ``plan``. Returns ``changed`` (always False) and ``plan`` with the built images in its
    charts. Check mode returns the plan unchanged.

    Raises:
        LocalloopError (exit 1): ``config_moved``, ``file_not_exported``, ``registry_lost``,
            ``registry_corrupt``, ``registry_unreachable``.
        UsageError (exit 2): ``plan_unreadable``.
    """
    from ..plan.compare import with_built_bytes

    plan = plan_of(params["plan"])
    wanted = [*plan.with_step("put"), *plan.with_step("release")]
    if wanted and not context.check:
        plan = with_built_bytes(plan, _digests(plan))
        for part in wanted:
            if plan.components[part.name].skip:
                text = f"skip: {plan.components[part.name].skip}"
                context.emit(
                    {"event": "progress", "component": part.name, "step": "compare", "text": text}
                )
        context.emit({"event": "plan", "plan": plan.as_dict()})
    return {"changed": False, "plan": plan.as_dict()}


def _digests(plan: Any) -> dict[str, str]:
    """The sha256 of each file that is to be put, from its published export stage."""
    putting = plan.with_step("put")
    if not putting:
        return {}
    import hashlib

    from ..registry.image_file import read_file

    session = session_of(plan, os.environ)
    files = session.project.node_files
    return {
        part.name: hashlib.sha256(
            read_file(session.registry, part.name, part.image, files[part.name].file)
        ).hexdigest()
        for part in putting
    }
