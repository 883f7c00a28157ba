"""A plan from a session: observe, decide, and say how long that took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ..events import Emit
from ..observe.facts import Facts, Request, request
from ..observe.gather import gather
from ..session import Session
from .cluster_verdict import Wish, cluster_verdict
from .decide import make_components
from .model import Plan
from .new_cluster import on_a_new_cluster


def make_plan(
    session: Session,
    targets: Sequence[str],
    *,
    full: bool,
    emit: Emit,
    wish: Wish = Wish(),  # noqa: B008 (frozen)
) -> tuple[Plan, Facts | None]:
    """The plan, and the facts that it was made of where there is a cluster to observe.

    For a cluster that is to be made anew everything is planned, whatever the targets: what has to
    be built is built before the old one goes.
    """
    project = session.project
    wanted = request(tuple(targets), full=full, known=list(project.components))
    started = time.monotonic()
    plan = Plan(
        project=project.name,
        root=str(project.root),
        profile=project.profile or "",
        mode=wanted.mode,
        targets=wanted.targets,
        cluster=cluster_verdict(session, wish),
        config_sha256=project.config_sha256,
        platform=session.platform,
    )
    facts = None
    verdict = plan.cluster["verdict"]
    if verdict in ("ok", "bootstrap", "refused"):
        if verdict == "bootstrap":
            wanted = Request(wanted.mode)
        facts = gather(session, wanted, anew=verdict == "bootstrap")
        components = make_components(facts, wanted)
        plan = replace(
            plan,
            components=on_a_new_cluster(components) if verdict == "bootstrap" else components,
            serial=facts.record.serial,
            registry=session.registry_address,
            unchecked=facts.unchecked,
        )
    emit({"event": "plan", "plan": plan.as_dict()})
    emit({"event": "span", "name": "change_detection", "duration_s": time.monotonic() - started})
    return plan, facts
