"""The gate: waits, driven by watches, until everything in scope is ready, or is known not to be.

``run_gate`` opens the watches, then judges the snapshot on every change and whenever a rule that
needs time comes due; nothing polls. ``observe_once`` (in ``observe``) is the same judgement on one
snapshot.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import LocalloopError
from .evidence import collect_evidence, missing_node_file
from .gateresult import GateResult, ObjectVerdict
from .gatestore import Store, Watchers, hopeless
from .kube.client import ApiError, ApiUnreachable, Kube
from .kube.objects import Object, ObjectRef, Snapshot, ref_of, uid_of
from .observe import (
    Also,
    all_pods,
    expand,
    fetch,
    judge_ref,
    not_gated,
    observe_once,
    settled_in,
    sources,
    window_of,
)
from .podrule import DEFAULT_RULES, Rules, Suspect, container_statuses, pod_suspects, terminating
from .readiness import Verdict, current_pods

__all__ = [
    "Also",
    "Clock",
    "GateResult",
    "ObjectVerdict",
    "Rules",
    "fetch",
    "observe_once",
    "run_gate",
]

Emit = Callable[[dict[str, Any]], None]


class Clock:
    """Monotonic time, and waiting for a change until a moment."""

    def now(self) -> float:
        """Seconds, from an arbitrary start."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        """Wait (holding ``changed``) for a notification, at most so long."""
        changed.wait(max(0.0, seconds))


def run_gate(
    kube: Kube,
    scope: Sequence[ObjectRef],
    *,
    timeout: float,
    stable_for: float | None = None,
    expected: Mapping[str, frozenset[str]] | None = None,
    touched: Iterable[ObjectRef] = (),
    emit: Emit | None = None,
    also: Sequence[Also] = (),
    completed: frozenset[ObjectRef] = frozenset(),
    rules: Rules = DEFAULT_RULES,
    unstick: bool = True,
    clock: Clock | None = None,
    backoff: float = 0.2,
) -> GateResult:
    """Wait until every object in scope is ready and has stayed so, for at most ``timeout``.

    ``expected`` maps our repositories to the digests allowed in them; ``touched`` are the objects
    that this run changed (the others pass by one observation); ``completed`` Jobs known to have
    completed before; ``unstick`` allows deleting a StatefulSet's pod that is stuck on an older,
    broken revision. ``emit`` gets ``progress`` events, and one ``gate`` event at the end. Raises
    nothing for a cluster in trouble: that is the result's ``status``.
    """
    watched = sources(scope, also)
    tick = clock or Clock()
    store = Store(watched, tick.now)
    gate = _Gate(
        kube=kube,
        store=store,
        clock=tick,
        scope=tuple(scope),
        also=tuple(also),
        expected=expected or {},
        touched=frozenset(ref.key for ref in touched),
        completed=set(completed),
        rules=rules,
        stable_for=stable_for,
        unstick=unstick,
        emit=emit or (lambda _event: None),
        timeout=timeout,
        backoff=backoff,
    )
    with Watchers(kube, store, watched, backoff=backoff):
        result = gate.run()
    gate.emit({"event": "gate", **result.as_dict()})
    return result


@dataclass
class _Tracked:
    """What the gate remembers of one object."""

    uid: str = ""
    recreated: int = 0
    ready_since: float | None = None
    verdict_at: float | None = None
    signature: object = None
    shown: str = ""
    verdict: Verdict | None = None


@dataclass
class _Sighting:
    """What the gate remembers of one suspect."""

    first: float
    confirmed: bool = False
    warned: bool = False


@dataclass
class _Gate:
    kube: Kube
    store: Store
    clock: Clock
    scope: tuple[ObjectRef, ...]
    also: tuple[Also, ...]
    expected: Mapping[str, frozenset[str]]
    touched: frozenset[tuple[str, str, str, str]]
    completed: set[ObjectRef]
    rules: Rules
    stable_for: float | None
    unstick: bool
    emit: Emit
    timeout: float
    backoff: float
    start: float = 0.0
    due: float = 0.0
    tracked: dict[ObjectRef, _Tracked] = field(default_factory=dict)
    sightings: dict[tuple[str, str, str], _Sighting] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    not_before: float = 0.0

    def run(self) -> GateResult:
        self.start = self.clock.now()
        deadline = self.start + self.timeout
        while True:
            version, view, trouble = self.store.state()
            self.due = deadline
            result = self._evaluate(view, trouble) if view else None
            if result is None and hopeless(trouble):
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
        targets, unmatched = expand(self.scope, self.also, view)
        passed = not unmatched
        failure: tuple[ObjectRef, str, str] | None = None
        for ref in targets:
            entry = self.tracked.setdefault(ref, _Tracked())
            verdict = self._judge(ref, entry, view)
            self._show(ref, entry, verdict)
            if not self._passes(ref, entry, verdict, view):
                passed = False
            if failure is None and verdict.state == "failed":
                failure = (ref, verdict.reason, verdict.detail)
        for ref in [ref for ref in self.tracked if ref not in targets]:
            del self.tracked[ref]  # a pod that a declared selector found, and that is gone
        if failure is None and trouble is None:
            failure = self._held(targets)
        if failure is not None:
            return self._failed(view, *failure)
        if trouble is not None:
            return None
        self._unstick(targets, view)
        return self._success(view) if passed else None

    def _judge(self, ref: ObjectRef, entry: _Tracked, view: Snapshot) -> Verdict:
        verdict = judge_ref(
            ref,
            view,
            expected=self.expected,
            rules=self.rules,
            completed=frozenset(self.completed),
        )
        obj = view.get(ref)
        if obj is not None:
            if ref.kind == "Job" and verdict.state == "ready":
                self.completed.add(ref)
            if entry.uid and uid_of(obj) != entry.uid:
                entry.recreated += 1
                entry.ready_since = entry.verdict_at = entry.signature = None
            entry.uid = uid_of(obj)
            if entry.recreated > 1:
                verdict = replace(
                    verdict, state="failed", reason="recreated", detail="keeps being recreated"
                )
        entry.verdict = verdict
        return verdict

    def _passes(self, ref: ObjectRef, entry: _Tracked, verdict: Verdict, view: Snapshot) -> bool:
        """Whether the object is ready and has been for long enough; else notes when to look."""
        if not verdict.ready:
            entry.ready_since = entry.verdict_at = entry.signature = None
            return False
        now = self.clock.now()
        obj = view.get(ref)
        signature = _signature(obj, view) if obj is not None else None
        if entry.ready_since is None or signature != entry.signature:
            entry.ready_since, entry.signature, entry.verdict_at = now, signature, None
        if obj is None or verdict.state == "not_gated":
            left = 0.0
        else:
            left = window_of(obj, self.stable_for) - (now - entry.ready_since)
            if ref.key not in self.touched and not entry.recreated:
                left = min(left, settled_in(obj, view, self.stable_for))
        if left > 1e-6:
            self.due = min(self.due, now + left)
            return False
        if entry.verdict_at is None:
            entry.verdict_at = now
        return True

    def _held(self, targets: Sequence[ObjectRef]) -> tuple[ObjectRef, str, str] | None:
        """The first cause that has lasted and that a fresh read has confirmed."""
        now = self.clock.now()
        present: dict[tuple[str, str, str], tuple[ObjectRef, Suspect]] = {}
        for ref in targets:
            verdict = self.tracked[ref].verdict
            for suspect in verdict.suspects if verdict and not verdict.ready else ():
                present.setdefault(suspect.key, (ref, suspect))
        self._forget(present)
        for key, (ref, suspect) in present.items():
            seen = self.sightings.setdefault(key, _Sighting(now))
            if suspect.warn_after is not None and not seen.warned:
                if now - seen.first >= suspect.warn_after:
                    seen.warned = True
                    self._warn(f"{ref.name}: {suspect.reason}: {suspect.detail}")
                else:
                    self.due = min(self.due, seen.first + suspect.warn_after)
            if now - seen.first < suspect.hold:
                self.due = min(self.due, seen.first + suspect.hold)
            elif seen.confirmed:
                return ref, suspect.reason, suspect.detail
            elif self._look_again(suspect):
                seen.confirmed = True
                self.due = now  # judge once more, by what was read
        return None

    def _forget(self, present: Mapping[tuple[str, str, str], tuple[ObjectRef, Suspect]]) -> None:
        for key in [key for key in self.sightings if key not in present]:
            if key[0] == "crash_loop":  # comes and goes; each return is the same loop
                self.sightings[key].confirmed = False
            else:
                del self.sightings[key]

    def _look_again(self, suspect: Suspect) -> bool:
        if self.clock.now() < self.not_before:
            self.due = min(self.due, self.not_before)
            return False
        try:
            fresh = self.kube.read(suspect.ref, timeout=3.0)
        except (ApiError, ApiUnreachable):
            self._retry_later()
            return False
        self.store.read(suspect.ref, fresh)
        return True

    def _unstick(self, targets: Sequence[ObjectRef], view: Snapshot) -> None:
        """Delete, once, a StatefulSet's pod whose broken older revision blocks the fixed one."""
        for ref in targets if self.unstick else ():
            obj = view.get(ref)
            if obj is None or ref.kind != "StatefulSet" or ref.key not in self.touched:
                continue
            verdict = self.tracked[ref].verdict
            strategy = (obj.get("spec") or {}).get("updateStrategy") or {}
            if verdict is None or verdict.ready or verdict.reason == "not_observed":
                continue
            if strategy.get("type") == "OnDelete":
                continue
            current = {uid_of(pod) for pod in current_pods(obj, view)}
            for pod in all_pods(obj, view):
                if uid_of(pod) in current | self.deleted or terminating(pod):
                    continue
                stuck = pod_suspects(pod, view.baseline, self.rules)
                if stuck and not _below_partition(pod, strategy):
                    self._delete(pod, stuck[0])

    def _delete(self, pod: Object, cause: Suspect) -> None:
        self.deleted.add(uid_of(pod))
        name = pod["metadata"]["name"]
        try:
            self.kube.delete(ref_of(pod), uid=uid_of(pod))
        except (ApiError, ApiUnreachable) as error:
            self._warn(f"could not delete the stuck pod {name}: {error.message}")
            return
        self._warn(f"deleted the pod {name}, stuck on an older revision ({cause.reason})")

    # -- endings ----------------------------------------------------------------------------

    def _success(self, view: Snapshot) -> GateResult | None:
        now = self.clock.now()
        if now < self.not_before:
            self.due = min(self.due, self.not_before)
            return None
        try:
            if not self.kube.ready(timeout=3.0):
                raise ApiUnreachable(self.kube.config.server, "/readyz says no")
        except (ApiError, ApiUnreachable):
            self._retry_later()
            return None
        for entry in self.tracked.values():
            for warning in entry.verdict.warnings if entry.verdict else ():
                self.warnings[warning] = None
        return self._result("ready", view)

    def _failed(self, view: Snapshot, ref: ObjectRef, reason: str, detail: str) -> GateResult:
        evidence = collect_evidence(self.kube, [ref], view)
        self.tracked[ref].verdict = Verdict("failed", reason, detail, ref)
        return self._result(
            "failed", view, f"{reason}:{ref.name}", ref.name, detail, evidence=evidence
        )

    def _expired(self, view: Snapshot | None, trouble: LocalloopError | None) -> GateResult:
        """The deadline has passed: unknown if the server cannot be asked, else failed."""
        try:
            if trouble is None and not self.kube.ready(timeout=2.0):
                trouble = ApiUnreachable(self.kube.config.server, "/readyz says no")
        except (ApiError, ApiUnreachable) as error:
            trouble = error
        if trouble is not None or view is None:
            return self._unknown(trouble)
        waiting = [
            ref
            for ref, entry in self.tracked.items()
            if entry.verdict_at is None or entry.verdict is None or not entry.verdict.ready
        ]
        # What a workload lacks explains what its Service lacks.
        waiting.sort(key=lambda ref: ref.kind == "Service")
        if not waiting:
            _, unmatched = expand(self.scope, self.also, view)
            selector = unmatched[0].selector if unmatched else ""
            return self._result("failed", view, f"no_match:{selector}", selector, "nothing matches")
        first = waiting[0]
        verdict = self.tracked[first].verdict
        detail = verdict.detail if verdict else ""
        reason = f"timeout:{detail.partition(':')[0]}"
        if verdict is not None and verdict.ready:
            reason = "timeout:not stable"
        evidence = collect_evidence(self.kube, waiting[:3], view)
        path = missing_node_file(evidence)
        if path:
            reason, detail = f"node_file_missing:{path}", "a pod cannot mount its node file"
        return self._result("failed", view, reason, first.name, detail, evidence=evidence)

    def _unknown(self, trouble: LocalloopError | None) -> GateResult:
        reason = trouble.reason if trouble else "apiserver_unreachable"
        if isinstance(trouble, ApiError) and not hopeless(trouble):
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
    ) -> GateResult:
        now = self.clock.now()
        objects = tuple(self._object(ref, entry) for ref, entry in self.tracked.items())
        firsts = [entry.first_ready_s for entry in objects]
        together = (
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
            first_ready_s=together if view is not None else None,
            duration_s=now - self.start,
            deadline_s=self.timeout,
        )

    def _object(self, ref: ObjectRef, entry: _Tracked) -> ObjectVerdict:
        verdict = entry.verdict or Verdict("progressing", "missing", "not found", ref)
        return ObjectVerdict(
            ref,
            verdict.state,
            verdict.reason,
            verdict.detail,
            ref.key in self.touched,
            None if entry.ready_since is None else entry.ready_since - self.start,
            None if entry.verdict_at is None else entry.verdict_at - self.start,
        )

    # -- telling ----------------------------------------------------------------------------

    def _retry_later(self) -> None:
        """The server did not answer a question of our own: note when to ask again."""
        pause = self.backoff * random.uniform(2.5, 5.0)  # noqa: S311 (jitter)
        self.not_before = self.clock.now() + pause
        self.due = min(self.due, self.not_before)

    def _show(self, ref: ObjectRef, entry: _Tracked, verdict: Verdict) -> None:
        text = f"{ref.kind} {ref.name}: {verdict.detail}"
        if text != entry.shown and verdict.state != "not_gated":
            entry.shown = text
            self.emit({"event": "progress", "component": None, "step": "gate", "text": text})

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings[text] = None
            self.emit({"event": "progress", "component": None, "step": "gate", "text": text})


def _signature(obj: Object, view: Snapshot) -> object:
    """Changes whenever a current pod is replaced or one of its containers is restarted."""
    if obj["kind"] == "Job":
        return None
    return sorted(
        (uid_of(pod), str(status.get("name")), int(status.get("restartCount") or 0))
        for pod in current_pods(obj, view)
        for status in container_statuses(pod)
    )


def _below_partition(pod: Object, strategy: Mapping[str, Any]) -> bool:
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    ordinal = str(pod["metadata"]["name"]).rpartition("-")[2]
    return ordinal.isdigit() and int(ordinal) < partition
