"""Make a plan: look at the cluster, observe, decide, and say how long that took."""

from __future__ import annotations

import time
from dataclasses import replace

from ..events import Emit
from ..observe.facts import Facts, Request
from ..observe.gather import gather
from ..session import Session
from .cluster_verdict import BootstrapChoice, cluster_verdict
from .decide import make_components
from .model import Plan
from .new_cluster import on_a_new_cluster


def make_plan(
    session: Session,
    wanted: Request,
    *,
    emit: Emit,
    choice: BootstrapChoice = BootstrapChoice(),  # noqa: B008 (frozen)
) -> tuple[Plan, Facts | None]:
    """The plan of a request, and the facts that it was made from; None without a cluster.

    A cluster that is to be replaced is planned whole, whatever the targets: what has to be built is
    built before the old cluster is removed. ``choice`` says whether a cluster may be replaced.

    Raises ``LocalloopError`` where the cluster or the registry cannot be read, and ``UsageError``
    for inputs that cannot be hashed and for a cluster or a release that is not this project's.
    """
    project = session.project
    started = time.monotonic()
    if not session.provider.owns:
        from .found_cluster import require_usable

        require_usable(session)
    plan = Plan(
        project=project.name,
        root=str(project.root),
        profile=project.profile or "",
        mode=wanted.mode,
        targets=wanted.targets,
        cluster=cluster_verdict(session, choice),
        config_sha256=project.config_sha256,
        platform=session.platform,
        provider=session.provider_facts(),
        route=session.route,
        warnings=session.fingerprints.cluster_warnings,
    )
    facts = None
    verdict = plan.cluster["verdict"]
    if verdict in ("ok", "bootstrap", "refused"):
        if verdict == "bootstrap":
            wanted = Request(wanted.mode)
        facts = gather(session, wanted, new_cluster=verdict == "bootstrap")
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
