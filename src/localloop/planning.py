"""A plan from a session: observe, decide, and say how long that took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from .decide import make_components, request
from .errors import UsageError
from .facts import Facts
from .gather import gather
from .plan import Plan
from .session import Session
from .steps import Emit


def make_plan(
    session: Session, targets: Sequence[str], *, full: bool, emit: Emit
) -> tuple[Plan, Facts | None]:
    """The plan, and the facts that it was made of where there is a cluster to observe."""
    project = session.project
    wanted = request(tuple(targets), full=full, known=list(project.components))
    started = time.monotonic()
    plan = Plan(
        project=project.name,
        root=str(project.root),
        profile=project.profile or "",
        mode=wanted.mode,
        targets=wanted.targets,
        cluster=cluster_verdict(session),
        config_sha256=project.config_sha256,
        platform=session.platform,
    )
    facts = None
    if plan.cluster["verdict"] == "ok":
        facts = gather(session, wanted)
        plan = replace(
            plan,
            components=make_components(facts, wanted),
            serial=facts.record.serial,
            registry=session.registry_address,
        )
    emit({"event": "plan", "plan": plan.as_dict()})
    emit({"event": "span", "name": "change_detection", "duration_s": time.monotonic() - started})
    return plan, facts


def cluster_verdict(session: Session) -> dict[str, str]:
    """What has to happen to the cluster and its registry before a component can be planned."""
    cluster = session.cluster
    if cluster.container_id and not cluster.ours:
        raise UsageError(
            "cluster_not_ours",
            f"container {session.container_name} is not one of localloop's",
            hint="Remove or rename it, or choose another cluster name (CLUSTER_NAME).",
        )
    if cluster.verdict != "ok":
        return {"verdict": cluster.verdict, "reason": cluster.reason}
    if cluster.starting and not session.answers():
        return {"verdict": "start", "reason": "cluster_starting"}
    if cluster.registry_verdict != "ok":
        return {"verdict": "registry", "reason": cluster.registry_reason}
    return {"verdict": "ok", "reason": ""}
