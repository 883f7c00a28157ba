"""Decide what to do: observe the cluster and the inputs, make the plan."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..config.model import Project
from ..config.project import load_project
from ..errors import UsageError
from ..observe.facts import Request, request
from ..plan.cluster_verdict import BootstrapChoice, require_possible
from ..plan.model import Plan
from ..session import Session
from .context import Context, emit_plan, plan_of, refuse_moved_config

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
    "made": {"type": "path", "default": ""},
    "built": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Decide what a deploy has to do; observes, and changes nothing but pulled base images.

    Takes ``project`` (its directory), ``targets``, ``mode`` (``auto`` or ``full``), ``profile``,
    ``bootstrap`` and ``force`` (what may become of a cluster that exists); ``made``, a file with
    the plan that the command made of the same request; and ``built``, the plan of this run whose
    images were built before its cluster was replaced.
    Returns ``changed`` (always False) and ``plan``. Check mode pulls nothing.

    Raises:
        LocalloopError (exit 1): ``cluster_inputs_changed`` or another reason of the cluster if this
            play may not do what it asks for; ``config_moved`` if localloop.yml has changed since
            ``made`` or ``built``; ``docker_unreachable``, ``apiserver_unreachable``,
            ``base_image_missing``.
        UsageError (exit 2): ``config_missing``, ``config_invalid``, ``profile_unknown``,
            ``unknown_target``, ``input_missing``, ``input_invalid``, ``input_unreadable``,
            ``kustomize_failed``, ``dependency_circle``, ``dependencies_failed``,
            ``crd_version_stored``, ``crd_refused``, ``values_invalid``, ``program_missing``,
            ``release_not_ours``, ``cluster_not_ours``, ``cluster_shared``,
            ``record_unreadable``, ``tool_missing``, ``tool_too_old``;
            ``plan_mismatch`` if ``made`` or ``built`` is of another run or request,
            ``plan_unreadable``, ``conflicting_parameters``.
    """
    project = load_project(Path(params["project"]), profile=params.get("profile") or None)
    session = Session(project, os.environ, writes=not context.check)
    full = params["mode"] == "full"
    wanted = request(tuple(params["targets"]), full=full, known=list(project.components))
    if params["built"]:
        plan = _of_built(session, wanted, params, context)
    elif params["made"]:
        plan = _read(Path(params["made"]), context)
        _require_same_request(plan, project, wanted)
        _require_same_answer(plan, params["bootstrap"])
        _require_possible(plan, session, params)
    else:
        plan = _make(session, wanted, params, context)
    return {"changed": False, "plan": plan.as_dict()}


def _make(session: Session, wanted: Request, params: dict[str, Any], context: Context) -> Plan:
    from ..plan.make import make_plan
    from ..plan.preflight import (
        remember_first_use,
        require_charts,
        require_files,
        require_tools,
    )

    refuse = params["bootstrap"] == "refuse"
    answer = "auto" if refuse else params["bootstrap"]
    choice = BootstrapChoice(answer, force=params["force"], transaction=context.transaction or "")
    plan, _ = make_plan(session, wanted, emit=context.emit, choice=choice)
    _require_possible(plan, session, params)
    require_files(session, plan)
    if not context.check:
        require_tools(session, plan)
        require_charts(session, plan)
        remember_first_use(session, plan)
    elif not plan.components:  # there will be no cluster to observe
        from ..plan.unseen import with_inputs

        plan = with_inputs(session, plan)
    emit_plan(plan, context)
    return plan


def _require_same_answer(plan: Plan, answer: str) -> None:
    """Refuse a plan that keeps or replaces the cluster against the parameter ``bootstrap``."""
    replaces = plan.cluster["verdict"] == "bootstrap"
    requested = replaces and plan.cluster["reason"] == "recreate_requested"
    fits = {
        "refuse": True,  # such a plan is refused with the cluster's own reason
        "auto": not requested,
        "reuse": not replaces,
        "recreate": requested,
    }
    if not fits[answer]:
        done = "replaces" if replaces else "keeps"
        raise UsageError(
            "plan_mismatch",
            f"the plan that was passed {done} the cluster, contrary to bootstrap={answer}",
            hint="Pass a plan for the same request, or none: it is then made here.",
        )


def _require_possible(plan: Plan, session: Session, params: dict[str, Any]) -> None:
    bootstraps = params["bootstrap"] != "refuse"
    require_possible(plan.cluster, session.cluster_name, bootstraps=bootstraps)


def _of_built(session: Session, wanted: Request, params: dict[str, Any], context: Context) -> Plan:
    """The plan whose images were built; made again if the cluster has been replaced since."""
    if params["made"] or params["force"] or params["bootstrap"] != "refuse":
        raise UsageError(
            "conflicting_parameters",
            "`built` cannot be combined with `made`, `bootstrap` or `force`: that plan was made"
            " with its own",
        )
    built = plan_of(params["built"])
    _require_same_request(built, session.project, wanted)
    if built.cluster["verdict"] != "bootstrap" or context.check:
        return built
    from ..plan.make import make_plan
    from ..plan.new_cluster import with_built

    # Nothing is deployed on a new cluster yet, so everything is planned.
    everything = BootstrapChoice(transaction=context.transaction or "")
    made, _ = make_plan(session, Request(), emit=_no_event, choice=everything)
    plan = with_built(made, built)
    context.emit({"event": "plan", "plan": plan.as_dict()})
    emit_plan(plan, context)
    return plan


def _no_event(_event: dict[str, Any]) -> None:
    return


def _read(path: Path, context: Context) -> Plan:
    """The plan that the command wrote for the playbook it started."""
    try:
        found = json.loads(path.read_bytes())
        transaction, plan = found["transaction"], Plan.from_dict(found["plan"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            "plan_unreadable",
            f"{path} does not contain a plan: {error!r}",
            hint="`localloop deploy` writes it for the playbook that it starts; leave `made` out in"
            " a play of your own.",
        ) from error
    if transaction != context.transaction:
        raise UsageError(
            "plan_mismatch",
            f"{path} has the plan of {transaction}, this run is {context.transaction or 'another'}",
            hint="Leave `made` out: the plan is then made here.",
        )
    return plan


def _require_same_request(plan: Plan, project: Project, wanted: Request) -> None:
    given = {
        "project": plan.root,
        "profile": plan.profile,
        "mode": plan.mode,
        "targets": plan.targets,
    }
    asked = {
        "project": str(project.root),
        "profile": project.profile or "",
        "mode": wanted.mode,
        "targets": wanted.targets,
    }
    other = [key for key, value in asked.items() if given[key] != value]
    if other:
        words = "; ".join(f"{key} {given[key]!r} instead of {asked[key]!r}" for key in other)
        raise UsageError(
            "plan_mismatch",
            f"the plan that was passed is for another request: {words}",
            hint="Pass a plan for the same request, or none: it is then made here.",
        )
    refuse_moved_config(plan, project)
