"""The gate: waits, driven by watches, until everything in scope is ready or has failed.

``run_gate`` opens the watches, then judges the snapshot on every change and whenever a time limit
of a rule is reached; nothing polls. ``look.observe_once`` makes the same judgement once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..config.model import HttpCheck, PodScope
from ..errors import LocalloopError
from ..kube.client import ApiError, ApiUnreachable, Kube, unreachable
from ..kube.fields import as_int, map_at
from ..kube.objects import ObjectRef, Snapshot
from .diagnosis import diagnose
from .ended_jobs import EndedJobs
from .evidence import collect_evidence, missing_node_file
from .http_check import http_failure
from .look import HTTP_CHECK_SECONDS, collections_to_read, expand_scope, not_gated
from .pod_rule import CRASH_LOOP, DEFAULT_THRESHOLDS, Suspect, Thresholds
from .result import READINESS_TIMEOUT, GateResult
from .store import Store, Watchers, refused
from .suspects import Suspects
from .tracking import Tracked, Tracker
from .unstick import Unsticker
from .verdict import Expected, Verdict

Emit = Callable[[dict[str, Any]], None]


class Clock:
    """Monotonic time, and waiting for a change; replaced in tests."""

    def now(self) -> float:
        """Seconds, from an arbitrary start."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        """Wait for a notification for at most ``seconds``; ``changed`` must be held."""
        changed.wait(max(0.0, seconds))


def run_gate(
    kube: Kube,
    scope: Sequence[ObjectRef],
    *,
    timeout: float,
    stable_for: float | None = None,
    expected: Expected | None = None,
    expected_by_object: Mapping[ObjectRef, Expected] | None = None,
    touched: Iterable[ObjectRef] = (),
    emit: Emit | None = None,
    also: Sequence[PodScope] = (),
    completed: frozenset[ObjectRef] = frozenset(),
    jobs: Mapping[ObjectRef, float] | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    checks: Sequence[HttpCheck] = (),
    unstick: bool = True,
    run_age: float | None = None,
    clock: Clock | None = None,
    backoff: float = 0.2,
) -> GateResult:
    """Wait until every object in scope is ready and has stayed so; all times are in seconds.

    - ``timeout``: the gate's deadline; ``stable_for``: see ``look.stability_window``.
    - ``expected``: the digests allowed per repository; ``expected_by_object``: those of objects
      that differ from it.
    - ``touched``: the objects that this run changed. The others pass by one observation.
    - ``also``: selectors whose workloads and pods must be ready too.
    - ``completed``: Jobs known to have completed earlier; ``jobs``: Jobs that may end and be
      deleted unseen, with the server's time after which they were created.
    - ``checks``: sent once everything else is ready, and repeated until they pass.
    - ``unstick``: whether pods that hold up what this run has fixed may be deleted.
    - ``run_age``: how long ago the run began that changed something. What an earlier run left
      broken is not this one's failure.
    - ``emit``: receives ``progress`` events, and one ``gate`` event at the end.
    - ``backoff``: the pause after the first error of the API server.

    A cluster in trouble raises nothing: it is reported in the result's ``status``.
    """
    kube = kube.without_retries()
    watched = collections_to_read(scope, also, selected=True)
    clock = clock or Clock()
    store = Store(watched, clock.now, run_age)
    tracker = Tracker(
        expected=expected or {},
        expected_by_object=expected_by_object or {},
        touched=frozenset(ref.key for ref in touched),
        completed=completed,
        ended=store.ended,
        thresholds=thresholds,
        stable_for=stable_for,
    )
    emit = emit or (lambda _event: None)
    gate = _Gate(kube, store, tracker, clock, emit, timeout=timeout, backoff=backoff)
    gate.scope, gate.also, gate.checks = tuple(scope), tuple(also), tuple(checks)
    gate.ended_jobs = EndedJobs(kube, store, jobs or {})
    if unstick:
        gate.unsticker = Unsticker(kube, thresholds, gate.warn)
    with Watchers(kube, store, watched, backoff=backoff):
        result = gate.run()
    emit({"event": "gate", **result.as_dict()})
    return result


class _Gate:
    scope: tuple[ObjectRef, ...] = ()
    also: tuple[PodScope, ...] = ()
    checks: tuple[HttpCheck, ...] = ()
    ended_jobs: EndedJobs
    unsticker: Unsticker | None = None

    def __init__(
        self,
        kube: Kube,
        store: Store,
        tracker: Tracker,
        clock: Clock,
        emit: Emit,
        *,
        timeout: float,
        backoff: float,
    ) -> None:
        self.kube = kube
        self.store = store
        self.tracker = tracker
        self.clock = clock
        self.emit = emit
        self.timeout = timeout
        self.backoff = backoff
        self.suspects = Suspects(self._read_again, self.warn)
        self.warnings: dict[str, None] = {}
        self.passed_checks: set[str] = set()
        self.failed_check: tuple[str, str] | None = None  # name and failure
        self.start = clock.now()
        self.due = self.start
        self.not_before = self.start
        self.version = 0

    def run(self) -> GateResult:
        self.start = self.clock.now()
        deadline = self.start + self.timeout
        while True:
            version, view, trouble = self.store.state()
            self.version = version
            self.due = deadline
            result = self._evaluate(view, trouble) if view else None
            if result is None and self.store.hopeless:
                result = self._unknown(trouble)
            if result is None and self.clock.now() >= deadline:
                result = self._expired(view, trouble)
            if result is not None:
                return result
            with self.store.changed:
                if self.store.version == version:
                    self.clock.wait(self.store.changed, self.due - self.clock.now())

    # -- one evaluation ---------------------------------------------------------------------

    def _evaluate(self, view: Snapshot, trouble: LocalloopError | None) -> GateResult | None:
        targets, unmatched = expand_scope(self.scope, self.also, view)
        entries = [self._judge(ref, view) for ref in targets]
        self.tracker.keep_only(targets)
        passed = not unmatched
        for entry in entries:
            self._show(entry)
            now = self.clock.now()
            left = self.tracker.seconds_left(entry, view, now)
            if left:
                self._wake_at(now + left)
            passed = passed and left == 0
        failed = next(
            (e.verdict for e in entries if e.verdict and e.verdict.state == "failed"), None
        )
        if failed is None and trouble is None:
            failed = self._confirmed_failure(entries)
        if failed is not None:
            return self._failed(view, failed)
        if trouble is not None:
            return None
        if self.unsticker is not None:
            for entry in entries:
                self.unsticker.delete_blocking_pods(entry, view)
        if not passed:
            self.passed_checks.clear()
            return None
        return self._success(view)

    def _judge(self, ref: ObjectRef, view: Snapshot) -> Tracked:
        entry = self.tracker.judge(ref, view)
        if entry.verdict and entry.verdict.reason == "missing" and ref in self.ended_jobs.since:
            self._wake_at(self.ended_jobs.look_for(ref, self.clock.now()))
            entry = self.tracker.judge(ref, view)
        return entry

    def _confirmed_failure(self, entries: Sequence[Tracked]) -> Verdict | None:
        present = [
            (entry.ref, suspect)
            for entry in entries
            if entry.verdict and not entry.verdict.ready
            for suspect in entry.verdict.suspects
        ]
        cause, due = self.suspects.first_confirmed(present, self.clock.now())
        if due is not None:
            self._wake_at(due)
        return Verdict("failed", cause[1].reason, cause[1].detail, cause[0]) if cause else None

    def _read_again(self, suspect: Suspect) -> bool:
        if self.clock.now() < self.not_before:
            self._wake_at(self.not_before)
            return False
        try:
            fresh = self.kube.read(suspect.ref, timeout=3.0)
        except (ApiError, ApiUnreachable):
            self._retry_later()
            return False
        self.store.apply_read(suspect.ref, fresh)
        return True

    # -- endings ----------------------------------------------------------------------------

    def _success(self, view: Snapshot) -> GateResult | None:
        if self.clock.now() < self.not_before:
            self._wake_at(self.not_before)
            return None
        try:
            if not self.kube.ready(timeout=3.0):
                raise unreachable(self.kube.config.server, "/readyz reports that it is not ready")
        except (ApiError, ApiUnreachable):
            self._retry_later()
            return None
        pending = [check for check in self.checks if check.name not in self.passed_checks]
        if pending and not self._run_checks(pending):
            return None
        if pending and self.store.version != self.version:
            self._wake_at(self.clock.now())  # something changed while they ran
            return None
        for entry in self.tracker.objects.values():
            for warning in entry.verdict.warnings if entry.verdict else ():
                if entry.verdict and entry.verdict.state == "not_gated":
                    self.warn(warning)  # people would take the object for checked
                self.warnings[warning] = None
        return self._result("ready", view)

    def _run_checks(self, checks: Sequence[HttpCheck]) -> bool:
        """Whether every check passed; otherwise notes when to try again."""
        for check in checks:
            left = self.start + self.timeout - self.clock.now()
            failure = http_failure(self.kube, check, max(0.1, min(HTTP_CHECK_SECONDS, left)))
            if failure:
                if self.failed_check != (check.name, failure):
                    self._report(f"{check.name}: {failure}")
                self.failed_check = check.name, failure
                self._retry_later()
                return False
            self.passed_checks.add(check.name)
        self.failed_check = None
        return True

    def _failed(self, view: Snapshot, verdict: Verdict) -> GateResult:
        ref = verdict.ref
        evidence = collect_evidence(self.kube, [ref], view)
        self.tracker.objects[ref].verdict = verdict
        return self._result(
            "failed",
            view,
            f"{verdict.reason}:{ref.name}",
            ref.name,
            verdict.detail,
            evidence=evidence,
            deadline=_deadline(verdict, view),
        )

    def _expired(self, view: Snapshot | None, trouble: LocalloopError | None) -> GateResult:
        """The deadline has passed: unknown if the API server cannot be asked, else failed."""
        try:
            if trouble is None and not self.kube.ready(timeout=2.0):
                trouble = unreachable(
                    self.kube.config.server, "/readyz reports that it is not ready"
                )
        except (ApiError, ApiUnreachable) as error:
            trouble = error
        if trouble is not None or view is None:
            return self._unknown(trouble)
        pending = self.tracker.pending()
        if not pending:
            return self._expired_with_all_ready(view)
        verdict = pending[0].verdict
        detail = verdict.detail if verdict else ""
        reason = f"timeout:{detail.partition(':')[0]}"
        if verdict is not None and verdict.ready:
            reason = "timeout:not stable"
        for suspect in verdict.suspects if verdict else ():
            if suspect.reason == CRASH_LOOP:  # Kubernetes goes on trying, but the time is over
                reason, detail = f"{CRASH_LOOP}:{pending[0].ref.name}", suspect.detail
        evidence = collect_evidence(self.kube, [entry.ref for entry in pending[:3]], view)
        path = missing_node_file(evidence)
        if path:
            reason, detail = f"node_file_missing:{path}", "a pod cannot mount its node file"
        subject = pending[0].ref.name
        return self._result("failed", view, reason, subject, detail, evidence=evidence)

    def _expired_with_all_ready(self, view: Snapshot) -> GateResult:
        if self.failed_check:
            name, failure = self.failed_check
            return self._result("failed", view, f"http_check:{name}", name, failure)
        _, unmatched = expand_scope(self.scope, self.also, view)
        if unmatched:
            selector = unmatched[0].selector
            return self._result(
                "failed", view, f"no_match:{selector}", selector, "it matches nothing"
            )
        return self._result("failed", view, "timeout:not stable")

    def _unknown(self, trouble: LocalloopError | None) -> GateResult:
        reason = trouble.reason if trouble else "apiserver_unreachable"
        if isinstance(trouble, ApiError) and not refused(trouble):
            reason = "apiserver_unreachable"
        detail = trouble.message if trouble else "not all objects could be listed in time"
        return self._result("unknown", None, reason, "", detail)

    def _result(
        self,
        status: str,
        view: Snapshot | None,
        reason: str = "",
        subject: str = "",
        detail: str = "",
        *,
        evidence: tuple[dict[str, Any], ...] = (),
        deadline: tuple[float, str] | None = None,
    ) -> GateResult:
        seconds, set_by = deadline or (self.timeout, READINESS_TIMEOUT)
        objects = tuple(entry.as_result(self.start) for entry in self.tracker.objects.values())
        firsts = [entry.first_ready_s for entry in objects]
        all_first_ready = (
            None if None in firsts else max((f for f in firsts if f is not None), default=0.0)
        )
        return GateResult(
            status=status,
            reason=reason,
            subject=subject,
            detail=detail,
            objects=objects,
            warnings=tuple(self.warnings),
            not_gated=not_gated(objects),
            evidence=evidence,
            first_ready_s=all_first_ready if view is not None else None,
            duration_s=self.clock.now() - self.start,
            deadline_s=seconds,
            deadline_by=set_by,
            diagnosis=None if status == "ready" else diagnose(reason, detail, evidence),
        )

    # -- reporting and timing -------------------------------------------------------------

    def _wake_at(self, moment: float) -> None:
        self.due = min(self.due, moment)

    def _retry_later(self) -> None:
        """A request of our own failed: note when to try again."""
        pause = self.backoff * random.uniform(2.5, 5.0)  # noqa: S311 (jitter)
        self.not_before = self.clock.now() + pause
        self._wake_at(self.not_before)

    def _show(self, entry: Tracked) -> None:
        verdict = entry.verdict
        if verdict is None or verdict.state == "not_gated":
            return
        text = f"{entry.ref.kind} {entry.ref.name}: {verdict.detail}"
        if text != entry.shown:
            entry.shown = text
            self._report(text)

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings[text] = None
            self._report(text)

    def _report(self, text: str) -> None:
        self.emit({"event": "progress", "component": None, "step": "gate", "text": text})


def _deadline(verdict: Verdict, view: Snapshot) -> tuple[float, str] | None:
    """A Deployment's own deadline in seconds, and its name, if it ended the gate."""
    obj = view.get(verdict.ref) if verdict.reason == "progress_deadline" else None
    if obj is None:
        return None
    seconds = float(as_int(map_at(obj, "spec").get("progressDeadlineSeconds")))
    return seconds, f"progressDeadlineSeconds of Deployment {verdict.ref.name}"
