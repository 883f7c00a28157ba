"""What the gate remembers about each object: its identity, and since when it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..kube.fields import as_int
from ..kube.objects import Object, ObjectRef, Snapshot, uid_of
from .look import has_pods, judge_ref, seconds_until_stable, stability_window
from .pod_rule import Thresholds, container_statuses
from .result import ObjectResult
from .revisions import current_pods
from .verdict import EndedJob, Expected, Verdict


@dataclass
class Tracked:
    """One object. Times are on the gate's clock, in seconds.

    ``pods_seen`` changes when a pod is replaced or restarted; ``shown`` is the last progress text.
    """

    ref: ObjectRef
    touched: bool
    uid: str = ""
    recreated: int = 0
    ready_since: float | None = None
    verdict_at: float | None = None
    pods_seen: object = None
    shown: str = ""
    verdict: Verdict | None = None

    def reset(self) -> None:
        """Forget that it was ready."""
        self.ready_since = self.verdict_at = self.pods_seen = None

    def as_result(self, start: float) -> ObjectResult:
        """The result at the gate's end; ``start`` is when the gate began."""
        verdict = self.verdict or Verdict("progressing", "missing", "not found", self.ref)
        return ObjectResult(
            self.ref,
            verdict.state,
            verdict.reason,
            verdict.detail,
            self.touched,
            None if self.ready_since is None else self.ready_since - start,
            None if self.verdict_at is None else self.verdict_at - start,
        )


@dataclass
class Tracker:
    """Judges objects by name, and checks that they stay ready for their window.

    Most fields are parameters of ``run_gate``. ``touched`` are the keys of the objects that this
    run changed; ``ended`` the Jobs that this gate saw end.
    """

    expected: Expected
    expected_by_object: Mapping[ObjectRef, Expected]
    touched: frozenset[tuple[str, str, str, str]]
    completed: frozenset[ObjectRef]
    ended: Mapping[ObjectRef, EndedJob]
    thresholds: Thresholds
    stable_for: float | None
    objects: dict[ObjectRef, Tracked] = field(default_factory=dict)

    def judge(self, ref: ObjectRef, view: Snapshot) -> Tracked:
        """Judge one object. Recreated once, it starts over; recreated twice, it has failed."""
        entry = self.objects.get(ref)
        if entry is None:
            entry = self.objects[ref] = Tracked(ref, ref.key in self.touched)
        completed = self.completed
        ended = self.ended.get(ref)
        if ended is not None and entry.uid not in ("", ended.uid):
            ended = None
        if ended is not None and not ended.failure:
            completed |= {ref}
        expected = self.expected_by_object.get(ref, self.expected)
        verdict = judge_ref(
            ref, view, expected=expected, thresholds=self.thresholds, completed=completed
        )
        obj = view.get(ref)
        if obj is None and ended is not None and ended.failure:
            verdict = Verdict("failed", "job_failed", f"{ended.failure} (deleted since)", ref)
        if obj is not None:
            if entry.uid and uid_of(obj) != entry.uid:
                entry.recreated += 1
                entry.reset()
            entry.uid = uid_of(obj)
            if entry.recreated > 1:
                verdict = replace(
                    verdict, state="failed", reason="recreated", detail="keeps being recreated"
                )
        entry.verdict = verdict
        return entry

    def keep_only(self, refs: list[ObjectRef]) -> None:
        """Forget all other objects: pods that a declared selector no longer matches."""
        for ref in [ref for ref in self.objects if ref not in refs]:
            del self.objects[ref]

    def seconds_left(self, entry: Tracked, view: Snapshot, now: float) -> float | None:
        """Seconds until it has been ready for its window; ``None`` while it is not ready."""
        verdict = entry.verdict
        if verdict is None or not verdict.ready:
            entry.reset()
            return None
        obj = view.get(entry.ref)
        pods_seen = _pods_seen(obj, view) if obj is not None else None
        if entry.ready_since is None or pods_seen != entry.pods_seen:
            entry.ready_since, entry.pods_seen, entry.verdict_at = now, pods_seen, None
        left = 0.0
        if obj is not None and verdict.state != "not_gated":
            left = stability_window(obj, self.stable_for) - (now - entry.ready_since)
            if not entry.touched and not entry.recreated:
                left = min(left, seconds_until_stable(obj, view, self.stable_for))
        if left > 1e-6:
            return left
        if entry.verdict_at is None:
            entry.verdict_at = now
        return 0.0

    def pending(self) -> list[Tracked]:
        """What has not passed; Services come last, since their workloads explain them."""
        found = [
            entry
            for entry in self.objects.values()
            if entry.verdict_at is None or entry.verdict is None or not entry.verdict.ready
        ]
        return sorted(found, key=lambda entry: entry.ref.key[:2] == ("", "Service"))


def _pods_seen(obj: Object, view: Snapshot) -> object:
    """A value that changes when a current pod is replaced or a container restarts."""
    if not has_pods(obj):
        return None
    return sorted(
        (uid_of(pod), str(status.get("name")), as_int(status.get("restartCount")))
        for pod in current_pods(obj, view)
        for status in container_statuses(pod)
    )
