"""Decide what to do: observe the cluster and the inputs, make the plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "targets": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "str", "choices": ["auto", "full"], "default": "auto"},
    "profile": {"type": "str"},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    from ..config import load_project
    from ..planning import make_plan
    from ..session import Session
    from .component_report import summary

    plan = _made_by_the_command()
    if plan is None:
        project = load_project(Path(params["project"]), profile=params.get("profile") or None)
        made, _ = make_plan(
            Session(project, os.environ, writes=not context.check),
            params["targets"],
            full=params["mode"] == "full",
            emit=context.emit,
        )
        plan = made.as_dict()
        for name, part in plan["components"].items():
            context.emit(
                {"event": "progress", "component": name, "step": "plan", "text": summary(part)}
            )
    return {"changed": False, "plan": plan}


def _made_by_the_command() -> dict[str, Any] | None:
    """The plan that this transaction has already: the command decides before Ansible starts."""
    from ..transaction import attach

    journal = attach(os.environ)
    events = journal.events() if journal is not None and journal.path.exists() else []
    plans = [event["plan"] for event in events if event.get("event") == "plan"]
    return plans[-1] if plans and plans[-1]["cluster"]["verdict"] == "ok" else None
