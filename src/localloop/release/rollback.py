"""Take charts back to a state that was settled before and that Helm still keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import InterruptedRun, LocalloopError, UsageError
from ..events import Emit
from ..gate import run as gating
from ..gate import settle
from ..helm import releases
from ..plan.model import BackTo, ComponentPlan, Plan, Reason
from ..plan.other_runs import other_plan
from ..plan.preflight import require_tools
from ..readiness.result import GateResult
from ..record.model import ChartState, Record
from ..record.store import RecordStore
from ..report.journal import Journal
from ..session import Session
from .charts import release_charts


def states_of(record: Record, transaction: str | None) -> dict[str, ChartState]:
    """Each chart's state after a transaction; by default the newest that differs from the current.

    States differ by content (see ``ChartState.same_content``): a repaired drift makes none. If a
    deploy is unfinished or failed, it is the state that was last ready. Raises
    ``UsageError``: ``nothing_before`` or ``unknown_transaction``.
    """
    past = {name: entry.history for name, entry in record.charts.items()}
    known = sorted({state.settled for states in past.values() for state in states}, reverse=True)
    if transaction is not None:
        named = [
            state.settled
            for states in past.values()
            for state in states
            if state.transaction == transaction
        ]
        if not named:
            raise _unknown(transaction, past)
        moment = max(named)
    else:
        if not any(entry.state == "settling" for entry in record.charts.values()):
            known = [moment for moment in known if _differs(record, _states_at(past, moment))]
        if not known:
            raise UsageError(
                "nothing_before",
                "the record has no earlier state to go back to",
                hint="Each deploy that became ready is one; `localloop history` lists them.",
            )
        moment = known[0]
    return _states_at(past, moment)


def _states_at(past: Mapping[str, tuple[ChartState, ...]], moment: int) -> dict[str, ChartState]:
    """What each chart ran when the record had this serial."""
    found = {
        name: next((state for state in states if state.settled <= moment), None)
        for name, states in past.items()
    }
    return {name: state for name, state in found.items() if state is not None}


def _differs(record: Record, states: Mapping[str, ChartState]) -> bool:
    """Whether a chart would run something else than now in one of these states."""
    return any(not state.same_content(record.charts[name].target) for name, state in states.items())


def _unknown(transaction: str, past: Mapping[str, tuple[ChartState, ...]]) -> UsageError:
    states = sorted(
        (state for states in past.values() for state in states), key=lambda state: -state.settled
    )
    names = list(dict.fromkeys(state.transaction for state in states))
    return UsageError(
        "unknown_transaction",
        f"the record knows no state of {transaction}",
        hint=f"It knows: {', '.join(names) or 'none'}.",
    )


def rollback_plan(session: Session, record: Record, states: Mapping[str, ChartState]) -> Plan:
    """The plan that takes charts back to these states; charts that already run them are skipped.

    Raises ``UsageError``: ``revision_gone`` if Helm no longer has the revision, ``registry_lost``
    if the registry no longer has an image.
    """
    parts = [
        _part(session, record, name, state)
        for name, state in states.items()
        if name in session.project.charts
    ]
    return other_plan(session, "rollback", parts, serial=record.serial)


def _part(session: Session, record: Record, name: str, state: ChartState) -> ComponentPlan:
    chart, entry = session.project.charts[name], record.charts[name]
    kept = releases.revisions(session.kube, chart.namespace, [chart.release])
    newest = max((found.revision for found in kept), default=0)
    part = ComponentPlan(
        name,
        "chart",
        fingerprint=state.fingerprint,
        previous=entry.target.fingerprint if entry.state == "settled" else "",
        consumes=tuple(sorted(state.images)),
        images=state.images,
        deployed=entry.target.images,
        base_revision=newest,
    )
    runs = entry.state == "settled" and entry.target.revision == newest
    if runs and state.same_content(entry.target):
        return replace(part, skip="unchanged")
    _require_kept(chart.release, name, state, kept)
    for image, published in state.images.items():
        if session.registry.manifest(session.repository_name(image), published.digest) is None:
            raise UsageError(
                "registry_lost",
                f"the registry no longer has {image}@{published.digest}",
                component=name,
                hint="Check out the sources of that transaction and deploy them.",
            )
    return replace(
        part,
        steps=("rollback",),
        reasons=(Reason("rollback", f"to {state.transaction}, revision {state.revision}"),),
        back_to=BackTo(state.transaction, state.revision),
    )


def _require_kept(release: str, name: str, state: ChartState, kept: list[releases.Release]) -> None:
    for found in kept:
        same = found.labels.get(releases.TRANSACTION_LABEL) == state.transaction
        if found.revision == state.revision and same:
            return
    raise UsageError(
        "revision_gone",
        f"Helm no longer has revision {state.revision} of {release}",
        component=name,
        hint="Check out the sources of that transaction and deploy them.",
    )


def after_failure(
    session: Session, plan: Plan, journal: Journal, emit: Emit, error: LocalloopError
) -> LocalloopError:
    """Roll back what this run released to what was last ready; the error to end the run with."""
    record = RecordStore(session.kube, session.project.name).load()
    back = {
        part.name: entry.last_good
        for part in plan.components.values()
        if part.steps
        and (entry := record.charts.get(part.name)) is not None
        and entry.state == "settling"
        and entry.last_good is not None
    }
    if not back:
        return _with_hint(
            error, "There is no earlier state to go back to, so nothing was rolled back."
        )
    names = {name: state.transaction for name, state in back.items()}
    done: dict[str, Any] = {"event": "rolled_back", "charts": names}
    try:
        going = release_charts(
            session, rollback_plan(session, record, back), journal, _renamed(emit)
        )
        result = gating.run(session, going, _renamed(emit))
        jobs = settle.completed_jobs(result.as_dict())
        settle.settle(session, going, _renamed(emit), jobs)
    except InterruptedRun:
        raise
    except LocalloopError as second:
        emit({**done, "status": "failed", "reason": second.reason})
        return _with_hint(error, f"The rollback failed too: {second}")
    emit({**done, "status": "ready", "reason": ""})
    words = ", ".join(f"{name} runs {transaction}" for name, transaction in names.items())
    return _with_hint(error, f"Rolled back: {words} again and is ready.")


def _renamed(emit: Emit) -> Emit:
    """Events of the rollback under names of their own, apart from those of the deploy."""

    def tell(event: dict[str, Any]) -> None:
        if event["event"] in ("plan", "gate", "settled"):
            event = {**event, "event": f"rollback_{event['event']}"}
        emit(event)

    return tell


def _with_hint(error: LocalloopError, text: str) -> LocalloopError:
    hint = (error.hint or "").replace(gating.KEPT, "").strip()
    return LocalloopError(
        error.reason,
        error.message,
        component=error.component,
        where=error.where,
        hint=" ".join(filter(None, (hint, text))),
        details=error.details,
    )


def plan_back(session: Session, transaction: str | None) -> Plan:
    """The plan that takes the charts back to a transaction's states (see ``states_of``).

    Raises ``LocalloopError`` where the cluster does not run, and ``UsageError`` where there is no
    such state, or it cannot be had any more.
    """
    if session.cluster.verdict != "ok":
        raise LocalloopError(
            session.cluster.reason,
            f"cluster {session.cluster_name} does not run",
            hint="`localloop deploy` starts it.",
        )
    session.identify()
    record = RecordStore(session.kube, session.project.name).load()
    return rollback_plan(session, record, states_of(record, transaction))


def go_back(session: Session, plan: Plan, journal: Journal, emit: Emit) -> tuple[Plan, GateResult]:
    """Carry out the plan of ``plan_back``: roll back, pass the gate, settle the record.

    Returns the plan with its results and what the gate saw. Raises ``LocalloopError`` where Helm or
    the gate fails; the charts then stay as they are.
    """
    require_tools(session, plan)
    plan = release_charts(session, plan, journal, emit)
    result = gating.run(session, plan, emit)
    settle.settle(session, plan, emit, settle.completed_jobs(result.as_dict()))
    return plan, result
