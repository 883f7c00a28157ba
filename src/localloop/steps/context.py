"""The context of a step: its modes, where its events go, and the session of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LocalloopError, UsageError
from ..events import Emit

if TYPE_CHECKING:
    from ..config.model import Project
    from ..plan.model import Plan
    from ..session import Session


def _discard(_event: dict[str, Any]) -> None:
    pass


@dataclass(frozen=True)
class Context:
    """Check and diff mode, and where the step's events go.

    ``emit`` takes events as plain dicts with a key ``event`` (see ``events.py`` for the kinds);
    ``transaction`` is the id of the open transaction, if there is one.
    """

    check: bool = False
    diff: bool = False
    emit: Emit = _discard
    transaction: str | None = None


def plan_of(plan: Any) -> Plan:
    """A plan from the data that a step was given.

    Raises ``UsageError`` (``plan_unreadable``) if it is not one.
    """
    from ..plan.model import Plan

    try:
        return Plan.from_dict(plan)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "plan_unreadable",
            f"what was passed as a plan is not one: {error!r}",
            hint="Pass the `plan` in another step's result, such as plan_result['plan'].",
        ) from error


def session_of(plan: Plan, environ: Mapping[str, str]) -> Session:
    """The session of a plan that was made earlier in this run.

    Raises ``LocalloopError`` (``config_moved``) if localloop.yml has changed since.
    """
    from ..config.project import load_project
    from ..session import Session

    project = load_project(Path(plan.root), profile=plan.profile or None, environ=environ)
    refuse_moved_config(plan, project)
    return Session(
        project, environ, registry=plan.registry, platform=plan.platform, route=plan.route
    )


def refuse_moved_config(plan: Plan, project: Project) -> None:
    """Raises ``LocalloopError`` (``config_moved``) if localloop.yml is not the plan's."""
    if project.config_sha256 != plan.config_sha256:
        raise LocalloopError(
            "config_moved",
            "localloop.yml changed while the deploy was running",
            where=str(project.config_path),
            hint="Run the deploy again.",
        )


def emit_plan(plan: Plan, context: Context) -> None:
    """Emit a progress line for each component: its steps and why. Raises nothing."""
    from ..plan.summary import component_summary

    for name, part in plan.as_dict()["components"].items():
        text = component_summary(part)
        context.emit({"event": "progress", "component": name, "step": "plan", "text": text})
