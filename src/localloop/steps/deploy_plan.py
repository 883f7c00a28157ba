"""Decide what to do: observe the cluster and the inputs, make the plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "targets": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "str", "choices": ["auto", "full"], "default": "auto"},
    "profile": {"type": "str"},
    "bootstrap": {
        "type": "str",
        "choices": ["refuse", "auto", "reuse", "recreate"],
        "default": "refuse",
    },
    "force": {"type": "bool", "default": False},
    "built": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Decide what a deploy has to do; observes, and changes nothing but pulled base images.

    Takes ``project`` (its directory), ``targets``, ``mode`` (``auto`` or ``full``), ``profile``,
    ``bootstrap`` and ``force`` (what may become of a cluster that exists), and ``built``, the plan
    of this run whose images were built before its cluster was replaced.
    Returns ``changed`` (always False) and ``plan``. Check mode pulls nothing.

    Raises:
        LocalloopError (exit 1): ``cluster_inputs_changed`` or another reason of the cluster if this
            play may not do what it asks for; ``docker_unreachable``, ``apiserver_unreachable``,
            ``base_image_missing``.
        UsageError (exit 2): ``config_missing``, ``config_invalid``, ``profile_unknown``,
            ``unknown_target``, ``input_missing``, ``release_not_ours``, ``cluster_not_ours``,
            ``cluster_shared``, ``record_unreadable``, ``tool_missing``, ``tool_too_old``.
    """
    built = params["built"]
    if built:
        anew = built["cluster"]["verdict"] == "bootstrap" and not context.check
        plan = _after_the_build(params, context) if anew else built
    else:
        plan = _made_by_the_command() or _made_here(params, context)
    return {"changed": False, "plan": plan}


def _made_by_the_command() -> dict[str, Any] | None:
    """The plan that this transaction has already: the command decides before Ansible starts."""
    from ..report.journal import attach

    journal = attach(os.environ)
    events = journal.events() if journal is not None and journal.path.exists() else []
    plans = [event["plan"] for event in events if event.get("event") == "plan"]
    return plans[-1] if plans and plans[-1]["cluster"]["verdict"] in ("ok", "bootstrap") else None


def _made_here(params: dict[str, Any], context: Context) -> dict[str, Any]:
    from ..plan.cluster_verdict import Wish, require_possible
    from ..plan.make import make_plan
    from ..plan.preflight import require_tools

    refuse = params["bootstrap"] == "refuse"
    session = _session(params, context)
    made, _ = make_plan(
        session,
        params["targets"],
        full=params["mode"] == "full",
        emit=context.emit,
        wish=Wish(
            "auto" if refuse else params["bootstrap"],
            force=params["force"],
            transaction=context.transaction or "",
        ),
    )
    require_possible(made.cluster, session.cluster_name, bootstraps=not refuse)
    if not context.check:
        require_tools(session, made)
    elif not made.components:  # there will be no cluster to plan them on
        from ..plan.unseen import with_inputs

        made = with_inputs(session, made)
    return _told(made.as_dict(), context)


def _after_the_build(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """The plan for the new cluster, with what was built while the old one was there."""
    from ..plan.cluster_verdict import Wish
    from ..plan.make import make_plan
    from ..plan.model import Plan
    from ..plan.new_cluster import with_built

    made, _ = make_plan(
        _session(params, context),
        (),
        full=False,
        emit=lambda _event: None,
        wish=Wish(transaction=context.transaction or ""),
    )
    plan = with_built(made, Plan.from_dict(params["built"])).as_dict()
    context.emit({"event": "plan", "plan": plan})
    return _told(plan, context)


def _session(params: dict[str, Any], context: Context) -> Any:
    from ..config.project import load_project
    from ..session import Session

    project = load_project(Path(params["project"]), profile=params.get("profile") or None)
    return Session(project, os.environ, writes=not context.check)


def _told(plan: dict[str, Any], context: Context) -> dict[str, Any]:
    from ..plan.summary import component_summary

    for name, part in plan["components"].items():
        context.emit(
            {
                "event": "progress",
                "component": name,
                "step": "plan",
                "text": component_summary(part),
            }
        )
    return plan
