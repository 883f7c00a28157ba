"""Observe what a plan is made from: fingerprints, registry, record, releases, objects, pods."""

from __future__ import annotations

from dataclasses import replace

from ..cluster.identity import pinned_uid
from ..readiness.result import GateResult
from ..record.store import RecordStore
from ..session import Session
from . import declared
from .charts import chart_facts, releases, snapshot
from .facts import ChartFacts, Facts, Request
from .images import image_facts, with_kept
from .node_files import node_file_facts


def gather(session: Session, wanted: Request, *, new_cluster: bool = False) -> Facts:
    """Everything that the plan is made from; nothing is written.

    ``new_cluster``: the plan is for a cluster that replaces this one. Raises ``LocalloopError``
    where Docker, the registry or the API server does not answer.
    """
    project = session.project
    uid = session.identify()
    record = RecordStore(session.kube, project.name).load()
    before = pinned_uid(session.pin)
    images = {name: image_facts(session, name, record, wanted) for name in project.images}
    if wanted.targets:
        images = with_kept(session, images, record)
    files = {
        name: node_file_facts(session, name, record, wanted, new_cluster=new_cluster)
        for name in project.node_files
    }
    view = snapshot(session, record)
    charts = {
        name: chart_facts(session, name, record, release, view)
        for name, release in releases(session).items()
    }
    seen = _declared(session, charts)
    return Facts(
        project=project.name,
        images=images,
        node_files=files,
        charts=_with_declared(charts, seen),
        record=record,
        recreated=bool(before) and before != uid,
        new_cluster=new_cluster,
        declared=seen,
        unchecked=unchecked_bases(session),
    )


def unchecked_bases(session: Session) -> tuple[str, ...]:
    """The base images that Docker does not have: their digests are those of the last build."""
    return tuple(
        f"base: unchecked ({name}: {reference})"
        for name, image in session.project.builds.items()
        for reference in session.fingerprints.missing_bases(image)
    )


def _declared(session: Session, charts: dict[str, ChartFacts]) -> GateResult | None:
    """One look at what the project declares; left to the gate if a chart is not ready."""
    if all(chart.release and not chart.not_ready for chart in charts.values()):
        return declared.observe(session)
    return None


def _with_declared(charts: dict[str, ChartFacts], seen: GateResult | None) -> dict[str, ChartFacts]:
    """The charts; none is ready while the declared pods and requests are not."""
    if seen is None or seen.ready:
        return charts
    why = f"{seen.reason} {seen.detail}".strip()
    return {name: replace(chart, not_ready=why) for name, chart in charts.items()}
