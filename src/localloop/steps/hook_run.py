"""Run the project's own commands before or after a deploy that changes something."""

from __future__ import annotations

import os
from typing import Any

from .context import Context, plan_of, session_of

ARGUMENT_SPEC: dict[str, Any] = {
    "plan": {"type": "dict", "required": True},
    "when": {"type": "str", "choices": ["before_deploy", "after_deploy"], "required": True},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run the project's own commands around a deploy that changes something.

    Takes ``plan`` and ``when`` (``before_deploy`` or ``after_deploy``).
    Returns ``changed`` (whether a command ran), ``hooks`` and ``plan`` as it was given. Check mode
    runs nothing.

    Raises:
        LocalloopError (exit 1): ``deploy_hook_failed`` for the first command that fails or takes
            longer than its timeout; ``config_moved``.
        UsageError (exit 2): ``plan_unreadable``.
    """
    plan, hooks = plan_of(params["plan"]), []
    if (plan.with_step("release") or plan.with_step("put")) and not context.check:
        from ..release.hooks import run_hooks

        hooks = run_hooks(session_of(plan, os.environ), params["when"], context.emit)
    return {"changed": bool(hooks), "hooks": hooks, "plan": params["plan"]}
