"""``localloop plan``: what a deploy would do, and why; nothing is changed or written."""

from __future__ import annotations

import os
from typing import Any

from ..config import load_project
from ..plan import ComponentPlan, Plan
from ..planning import make_plan
from ..session import Session
from . import Console, Options

_CLUSTER = {
    "create": "is created first",
    "start": "is started first",
    "restart": "is restarted first",
    "registry": "gets its registry back first",
    "bootstrap": "is made anew, once everything is built",
    "refused": "stays as it is, and a deploy is refused",
}


def run(options: Options) -> int:
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ, writes=False)
    plan, _ = make_plan(session, options.targets, full=options.full, emit=_nothing)
    show_plan(options.console, plan, diff=options.diff)
    options.console.document(plan.as_dict())
    return 0


def _nothing(_event: dict[str, Any]) -> None:
    pass


def show_plan(console: Console, plan: Plan, *, diff: bool) -> None:
    """The plan as a table; with ``diff`` the changed files of each component below it."""
    cluster = plan.cluster
    verdict = cluster["verdict"]
    if verdict != "ok":
        why_cluster = ": ".join(filter(None, (cluster["reason"], cluster.get("detail"))))
        then = "" if plan.components else "; then each component is planned"
        console.say(f"cluster {_CLUSTER.get(verdict, verdict)} ({why_cluster}){then}")
    if not plan.components:
        return
    rows = [["COMPONENT", "KIND", "STEPS", "WHY"]]
    rows += [
        [part.name, part.kind, ", ".join(part.steps) or "skip", why(part)]
        for part in plan.components.values()
    ]
    console.table(rows)
    for part in plan.components.values():
        for warning in part.warnings:
            console.say(f"warning: {part.name}: {warning}")
        if diff:
            for line in changes(part):
                console.say(line)


def why(part: ComponentPlan) -> str:
    """The reasons of a component's steps, or of its skip."""
    return "; ".join(map(str, part.reasons)) or part.skip


def changes(part: ComponentPlan) -> list[str]:
    """``M web site/index.html``: one line a changed input."""
    letters = {"added": "A", "changed": "M", "removed": "D"}
    return [
        f"{letter} {part.name} {path}"
        for word, letter in letters.items()
        for path in (part.changes.get(word) or {}).get("first", ())
    ]
