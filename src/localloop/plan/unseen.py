"""Plans without a cluster: how the inputs changed since the last deploy from here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..config.model import Project
from ..config.placeholders import consumed_images
from ..errors import LocalloopError
from ..fingerprint.components import Fingerprint
from ..fingerprint.explain import Kept, explain, last_deployed, summary_of
from ..observe.facts import Request
from ..observe.gather import unchecked_bases
from ..session import Session, host_platform
from .model import UNCHECKED, ComponentPlan, Plan, Reason

UNREACHABLE = (
    "docker_unreachable",
    "apiserver_unreachable",
    "cluster_unreachable",
    "registry_unreachable",
)
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
        pulls=False,
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
        warnings=blind.fingerprints.cluster_warnings,
    )
    return with_inputs(blind, plan), blind


def with_inputs(session: Session, plan: Plan) -> Plan:
    """The plan with how each component's inputs changed since the last deploy from here.

    With targets that is: how those of the targets and of what they bring along did.
    """
    chosen = _chosen(session.project, plan.targets)
    components = {
        name: _component(session, name, part.kind)
        if name in chosen
        else ComponentPlan(name, part.kind, skip="not_targeted")
        for name, part in session.project.components.items()
    }
    unchecked = (
        *plan.unchecked,
        *_cluster_inputs(session, plan),
        *_platform(session, plan),
        *unchecked_bases(session),
    )
    return replace(plan, components=components, unchecked=unchecked)


def to_build(session: Session, plan: Plan) -> tuple[Plan, Session]:
    """A plan without a cluster as one that builds all that it names, and the session for that.

    The registry is the configured one, or called ``registry`` where its port is not known yet.
    """
    project, chosen = session.project, _chosen(session.project, plan.targets)
    for name in [name for name in chosen if name in project.builds]:
        chosen.update(_needs(project, name))
    components = {
        name: replace(part, steps=("build",), skip="")
        if name in chosen and name in project.builds
        else part
        for name, part in plan.components.items()
    }
    own = f"127.0.0.1:{project.registry.port}" if project.registry.port else "registry"
    building = Session(
        project,
        session.environ,
        registry=project.registry.host or own,
        platform=plan.platform,
        pulls=False,
        blind=True,
    )
    return replace(plan, components=components), building


def _chosen(project: Project, targets: tuple[str, ...]) -> set[str]:
    """The components that these targets may deploy: also the charts and images that go along."""
    if not targets:
        return set(project.components)
    used = {name: consumed_images(chart) for name, chart in project.charts.items()}
    charts = {name for name in used if name in targets or used[name] & set(targets)}
    return {*targets, *charts, *(image for name in charts for image in used[name])}


def _needs(project: Project, name: str) -> set[str]:
    needs = project.builds[name].needs
    return {*needs, *(each for need in needs for each in _needs(project, need))}


def _platform(session: Session, plan: Plan) -> list[str]:
    known = plan.cluster["verdict"] not in ("unknown", "create")
    if known or not session.project.builds:
        return []
    return [f"platform: unchecked (the host's {session.platform} is used)"]


def _cluster_inputs(session: Session, plan: Plan) -> list[str]:
    """Whether the inputs of a cluster that cannot be asked are those of the last deploy."""
    found = session.fingerprints.of_cluster
    if found is None or plan.cluster["verdict"] == "create":
        return []
    why, _ = _since_last(found, last_deployed(session.project.root, found.component))
    return [f"cluster inputs: unchecked ({why.name}: {why.detail})"]


def _since_last(found: Fingerprint, before: Kept | None) -> tuple[Reason, dict[str, Any]]:
    """How the inputs changed since they were deployed from here, in words and as data."""
    if before is None:
        return Reason("never_deployed", "not from this checkout"), {}
    if before.value == found.value:
        return Reason("inputs_same", "as this checkout deployed them last"), {}
    changes = explain(before, found)
    return Reason("inputs_changed", summary_of(changes)), changes


def _component(session: Session, name: str, kind: str) -> ComponentPlan:
    found = session.fingerprints.of(name)
    before = last_deployed(session.project.root, name)
    why, changes = _since_last(found, before)
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
