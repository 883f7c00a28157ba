"""The readiness gate of a plan."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..config.model import NodeFile, PodScope
from ..errors import LocalloopError
from ..events import Emit
from ..kube.objects import ObjectRef, timestamp
from ..observe import declared
from ..observe.node_files import held_on_nodes
from ..plan.model import ComponentPlan, Plan
from ..readiness.image_proof import expected_digests
from ..readiness.pod_rule import IMAGE_PULL_FAILED
from ..readiness.result import GateResult
from ..readiness.verdict import Expected
from ..readiness.wait import run_gate
from ..record.model import ChartState, Record
from ..record.notes import object_refs
from ..record.store import RecordStore
from ..registry.published import PublishedImage
from ..report.journal import attach
from ..session import Session
from .settle import noted_late, remember_inputs

# Said after a failed deploy, unless the project asks for a rollback.
KEPT = "Then run the deploy again; nothing was rolled back."


class NotReadyError(LocalloopError):
    """The gate failed: something is known not to become ready."""


def run_for(session: Session, plan: Plan, part: ComponentPlan, emit: Emit) -> None:
    """Gate one release that another one of the plan needs; the verdict on the run comes later."""

    def tell(event: dict[str, Any]) -> None:
        if event["event"] != "gate" or event["status"] != "ready":
            emit(event)

    run(session, replace(plan, components={part.name: part}), tell, declared_too=False)


def run(
    session: Session,
    plan: Plan,
    emit: Emit,
    *,
    timeout: float | None = None,
    declared_too: bool = True,
) -> GateResult:
    """Wait until everything in the plan's scope is ready; what the gate saw.

    ``timeout`` is in seconds, by default the project's. ``declared_too``: include the pods and
    requests that the project declares. Raises ``NotReadyError`` if something failed,
    ``LocalloopError`` if the state stayed unknown or a node lost its file.
    """
    record = RecordStore(session.kube, session.project.name).load()
    scope: list[ObjectRef] = []
    touched: set[ObjectRef] = set()
    completed: set[ObjectRef] = set()
    jobs: dict[ObjectRef, float] = {}
    expected: dict[str, frozenset[str]] = {}
    own: dict[ObjectRef, Expected] = {}
    owners: dict[str, str] = {}
    images: dict[str, PublishedImage] = {}
    for part in plan.components.values():
        entry = record.charts.get(part.name)
        if part.kind != "chart" or part.skip == "not_targeted" or entry is None:
            continue
        if not entry.target.revision:
            entry = noted_late(session, part.name, entry)
        refs = object_refs(entry.target)
        scope += refs
        owners |= {str(ref): part.name for ref in refs}
        completed |= {ObjectRef.parse(text) for text in entry.target.completed_jobs}
        images |= entry.target.images
        digests = expected_digests(entry.target.images)
        own |= dict.fromkeys(refs, digests)
        for repository, allowed in digests.items():
            expected[repository] = expected.get(repository, frozenset()) | allowed
        if part.steps:
            touched |= set(refs)
            jobs |= _jobs_since(entry.target, refs)
    readiness = session.project.readiness
    started = time.monotonic()
    result = run_gate(
        session.kube,
        scope,
        timeout=timeout or readiness.timeout,
        stable_for=readiness.stable_for,
        expected=expected,
        expected_by_object=own,
        touched=touched,
        emit=emit,
        also=[*readiness.also, *_users_of_files(session, plan)] if declared_too else (),
        checks=readiness.http if declared_too else (),
        thresholds=declared.thresholds(readiness),
        completed=frozenset(completed),
        jobs=jobs,
        run_age=_run_age(session) if touched else None,
    )
    _emit_spans(plan, result, time.monotonic() - started, emit)
    if not result.ready:
        remember_inputs(session)  # so that the next plan can name what changed since
        raise _not_ready(result, owners, _forgotten(session, result, images))
    _require_files(session, plan, record)
    return result


def _jobs_since(state: ChartState, refs: list[ObjectRef]) -> dict[ObjectRef, float]:
    """A release's Jobs, and when it began: they may be gone before the gate looks."""
    jobs = [ref for ref in refs if ref.key[:2] == ("batch", "Job")]
    return dict.fromkeys(jobs, timestamp(state.created) or 0.0)


def _run_age(session: Session) -> float | None:
    """For how many seconds the current transaction has been open."""
    journal = attach(session.environ)
    if journal is None:
        return None
    return time.monotonic() - float(journal.events()[0]["mono"])


def _files_in_scope(session: Session, plan: Plan) -> list[NodeFile]:
    files = session.project.node_files
    return [
        files[part.name]
        for part in plan.components.values()
        if part.kind == "node_file" and part.skip != "not_targeted"
    ]


def _users_of_files(session: Session, plan: Plan) -> list[PodScope]:
    """The pods that use a node file: they are gated too, even if no release of ours made them."""
    return [
        PodScope(
            namespace=file.reconcile.namespace, selector=file.reconcile.selector, optional=True
        )
        for file in _files_in_scope(session, plan)
        if file.reconcile is not None
    ]


def _require_files(session: Session, plan: Plan, record: Record) -> None:
    """Raise ``node_file_missing`` unless every node holds the recorded bytes."""
    for file in _files_in_scope(session, plan):
        other, missing = held_on_nodes(session, file, record.node_files.get(file.name))
        if other or missing:
            raise LocalloopError(
                f"node_file_missing:{file.name}",
                f"{', '.join((*other, *missing))} does not hold {file.dest} as it was put",
                component=file.name,
                hint="Something removed or replaced it: run the deploy again.",
            )


def _emit_spans(plan: Plan, result: GateResult, duration: float, emit: Emit) -> None:
    for part in (*plan.with_step("release"), *plan.with_step("rollback")):
        rollout = result.first_ready_s if result.first_ready_s is not None else duration
        emit({"event": "span", "name": f"{part.name}_rollout", "duration_s": rollout})
    emit({"event": "span", "name": "readiness_gate", "duration_s": duration})


def _forgotten(
    session: Session, result: GateResult, images: Mapping[str, PublishedImage]
) -> Sequence[str]:
    """The damaged images behind a failed pull; the registry forgets them."""
    if result.reason.partition(":")[0] != IMAGE_PULL_FAILED:
        return ()
    from ..publish.check import forget_damaged

    try:
        return forget_damaged(session, images)
    except LocalloopError:  # the gate's own verdict matters more
        return ()


def _not_ready(
    result: GateResult, owners: Mapping[str, str], forgotten: Sequence[str]
) -> LocalloopError:
    """The error that explains the result; ``owners`` maps objects to their charts."""
    what = "not ready" if result.status == "failed" else "readiness unknown"
    found = result.diagnosis
    text = f"{what}: {result.reason}"
    steps = [KEPT]
    if found is not None:
        text = f"{text}\n{found}"
        steps.insert(0, found.next_step)
    if forgotten:
        names = ", ".join(forgotten)
        steps = [
            f"The registry held damaged data of {names}: the next deploy publishes it again.",
            KEPT,
        ]
    kind = NotReadyError if result.status == "failed" else LocalloopError
    return kind(
        result.reason,
        text.rstrip(),
        component=owners.get(result.ref),
        hint=" ".join(filter(None, steps)),
        details={"gate": result.status, "subject": result.subject},
    )
