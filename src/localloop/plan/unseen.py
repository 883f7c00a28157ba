"""Plans without a cluster: how the inputs changed since the last deploy from here."""

from __future__ import annotations

from dataclasses import replace

from ..errors import LocalloopError
from ..fingerprint.explain import explain, last_deployed, summary_of
from ..observe.facts import Request
from ..observe.gather import unchecked_bases
from ..session import Session, host_platform
from .model import UNCHECKED, ComponentPlan, Plan, Reason

UNREACHABLE = ("docker_unreachable", "apiserver_unreachable", "registry_unreachable")
"""The reasons of errors after which there is still a plan to show."""


def without_cluster(
    session: Session, wanted: Request, error: LocalloopError
) -> tuple[Plan, Session]:
    """The plan for a cluster that does not answer, and the session that it was made with."""
    project = session.project
    blind = Session(
        project,
        session.environ,
        platform=host_platform(),
        writes=False,
        blind=error.reason == "docker_unreachable",
    )
    plan = Plan(
        project=project.name,
        root=str(project.root),
        profile=project.profile or "",
        mode=wanted.mode,
        targets=wanted.targets,
        cluster={"verdict": "unknown", "reason": error.reason},
        config_sha256=project.config_sha256,
        platform=blind.platform,
        unchecked=(f"cluster: unchecked ({error.message})",),
    )
    return with_inputs(blind, plan), blind


def with_inputs(session: Session, plan: Plan) -> Plan:
    """The plan with how each component's inputs changed since the last deploy from here."""
    components = {
        name: _component(session, name, part.kind)
        for name, part in session.project.components.items()
    }
    unchecked = (*plan.unchecked, *_platform(session, plan), *unchecked_bases(session))
    return replace(plan, components=components, unchecked=unchecked)


def _platform(session: Session, plan: Plan) -> list[str]:
    known = plan.cluster["verdict"] not in ("unknown", "create")
    if known or not session.project.builds:
        return []
    return [f"platform: unchecked (the host's {session.platform} is used)"]


def _component(session: Session, name: str, kind: str) -> ComponentPlan:
    found = session.fingerprints.of(name)
    before = last_deployed(session.project.root, name)
    changes = {}
    if before is None:
        why = Reason("never_deployed", "not from this checkout")
    elif before.value == found.value:
        why = Reason("inputs_same", "as this checkout deployed them last")
    else:
        changes = explain(before, found)
        why = Reason("inputs_changed", summary_of(changes))
    return ComponentPlan(
        name,
        kind,
        reasons=(why,),
        skip=UNCHECKED,
        fingerprint=found.value,
        previous=before.value if before else "",
        changes=changes,
        warnings=found.warnings,
        untracked=found.untracked,
    )
