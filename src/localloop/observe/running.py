"""What a chart really runs: the recorded state of its live release, by one observation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import LocalloopError
from ..helm import releases
from ..helm.live import read_live
from ..kube.collections import Collection, fetch_collections
from ..kube.kinds import WORKLOADS
from ..kube.objects import ObjectRef, Snapshot, object_version
from ..readiness.image_proof import expected_digests
from ..readiness.look import fetch_scope, observe_once
from ..readiness.pod_rule import pod_ready
from ..readiness.result import GateResult, ObjectResult
from ..readiness.revisions import current_pods, desired_pods
from ..record.model import ChartEntry, ChartState
from ..record.notes import note_release, noted_version, object_refs
from ..session import Session
from . import declared
from .facts import Facts


@dataclass(frozen=True)
class Running:
    """``created``: when its revision was made (RFC 3339); ``ready``: one line for each workload."""

    state: ChartState
    created: str
    ready: tuple[str, ...]


def running_charts(session: Session, facts: Facts) -> dict[str, Running]:
    """What each chart with a live release runs, by the record and by observation."""
    found = {}
    for name, chart in facts.charts.items():
        entry = facts.record.charts.get(name)
        if entry is not None and chart.release is not None:
            found[name] = _running(session, name, entry, chart.release, chart.seen)
    return found


def _running(
    session: Session,
    name: str,
    entry: ChartEntry,
    release: releases.Release,
    seen: GateResult | None,
) -> Running:
    if seen is not None:  # settled, and as recorded
        return Running(entry.target, release.created, _lines(seen, None))
    last = entry.last_good
    untouched = last is not None and _untouched(session, last)
    state = state_that_runs(entry, release, untouched=untouched)
    if not state.objects:
        state = _noted(session, release, state)
    refs = object_refs(state)
    view = fetch_scope(session.kube, refs)
    readiness = session.project.readiness
    seen = observe_once(
        session.kube,
        refs,
        expected=expected_digests(state.images),
        stable_for=readiness.stable_for,
        thresholds=declared.thresholds(readiness),
        completed=frozenset(map(ObjectRef.parse, state.completed_jobs)),
        snapshot=view,
    )
    return Running(state, _created(session, release, state), _lines(seen, view))


def state_that_runs(entry: ChartEntry, release: releases.Release, *, untouched: bool) -> ChartState:
    """Which of an entry's two states the newest revision belongs to.

    ``untouched``: the objects are still those of ``last_good``. That decides if Helm failed or was
    killed, because it may have changed all of them, or none.
    """
    last = entry.last_good
    if entry.state == "settled" or last is None:
        return entry.target
    ours = release.labels.get(releases.TRANSACTION_LABEL) == entry.target.transaction
    if release.status == "deployed" and ours and release.revision > entry.target.base_revision:
        return entry.target
    return last if untouched or release.revision == last.revision else entry.target


def _untouched(session: Session, state: ChartState) -> bool:
    refs = object_refs(state)
    kinds = {
        Collection(ref.api_version, ref.kind, ref.namespace, metadata_only=True) for ref in refs
    }
    view = fetch_collections(session.kube, sorted(kinds))
    for ref in refs:
        live = view.get(ref)
        if live is None or object_version(live) != noted_version(state.objects[str(ref)]):
            return False
    return True


def _noted(session: Session, release: releases.Release, state: ChartState) -> ChartState:
    """A state completed now, because the run that failed or was killed did not note it."""
    try:
        return note_release(session.kube, read_live(session.kube, release), state)
    except LocalloopError:
        return replace(state, revision=release.revision)


def _created(session: Session, release: releases.Release, state: ChartState) -> str:
    if state.revision in (0, release.revision):
        return release.created
    kept = releases.revisions(session.kube, release.namespace, [release.name])
    return next((each.created for each in kept if each.revision == state.revision), "")


def _lines(seen: GateResult, view: Snapshot | None) -> tuple[str, ...]:
    return tuple(
        f"{verdict.ref.kind} {verdict.ref.name}: {_counted(verdict, view)}"
        for verdict in seen.objects
        if verdict.ref.group in ("apps", "batch") and verdict.ref.kind in (*WORKLOADS, "Job")
    )


def _counted(verdict: ObjectResult, view: Snapshot | None) -> str:
    """The verdict's detail, with ``ready n/m`` first even if it is known to have failed."""
    if view is None or verdict.ref.kind == "Job" or verdict.detail.startswith("ready "):
        return verdict.detail
    obj = view.get(verdict.ref)
    if obj is None:
        return verdict.detail
    ready = sum(map(pod_ready, current_pods(obj, view)))
    return f"ready {ready}/{desired_pods(obj)}: {verdict.detail}"
