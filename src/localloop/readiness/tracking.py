"""What the gate remembers of each object: its identity, and since when it has been ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..kube.objects import Object, ObjectRef, Snapshot, uid_of
from .look import judge_ref, seconds_until_stable, stability_window
from .pod_rule import Thresholds, container_statuses
from .result import ObjectResult
from .revisions import current_pods
from .verdict import Expected, Verdict


@dataclass
class Tracked:
    """One object. Times are the gate's clock, in seconds."""

    ref: ObjectRef
    touched: bool
    uid: str = ""
    recreated: int = 0
    ready_since: float | None = None
    verdict_at: float | None = None
    signature: object = None
    shown: str = ""
    verdict: Verdict | None = None

    def starts_again(self) -> None:
        """Forget that it was ready."""
        self.ready_since = self.verdict_at = self.signature = None

    def as_result(self, start: float) -> ObjectResult:
        """As it is at the gate's end."""
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
    """Judges objects by name and holds them to their window; ``stable_for`` in seconds.

    ``expected`` as in ``image_proof``; ``own`` per object, where those are other ones.
    ``completed`` are Jobs that earlier runs saw complete, ``seen_complete`` the uids of those that
    this gate saw.
    """

    expected: Expected
    own: Mapping[ObjectRef, Expected]
    touched: frozenset[tuple[str, str, str, str]]
    completed: frozenset[ObjectRef]
    seen_complete: Mapping[ObjectRef, str]
    thresholds: Thresholds
    stable_for: float | None
    objects: dict[ObjectRef, Tracked] = field(default_factory=dict)

    def judge(self, ref: ObjectRef, view: Snapshot) -> Tracked:
        """Judge one object; recreated once it starts again, twice it has failed."""
        entry = self.objects.get(ref)
        if entry is None:
            entry = self.objects[ref] = Tracked(ref, ref.key in self.touched)
        completed = self.completed
        uid = self.seen_complete.get(ref)
        if uid is not None and entry.uid in ("", uid):
            completed |= {ref}
        expected = self.own.get(ref, self.expected)
        verdict = judge_ref(
            ref, view, expected=expected, thresholds=self.thresholds, completed=completed
        )
        obj = view.get(ref)
        if obj is not None:
            if entry.uid and uid_of(obj) != entry.uid:
                entry.recreated += 1
                entry.starts_again()
            entry.uid = uid_of(obj)
            if entry.recreated > 1:
                verdict = replace(
                    verdict, state="failed", reason="recreated", detail="keeps being recreated"
                )
        entry.verdict = verdict
        return entry

    def forget_others(self, refs: list[ObjectRef]) -> None:
        """Drop the pods that a declared selector found, and that are gone."""
        for ref in [ref for ref in self.objects if ref not in refs]:
            del self.objects[ref]

    def left(self, entry: Tracked, view: Snapshot, now: float) -> float | None:
        """Seconds until it has been ready for long enough; ``None`` while it is not ready."""
        verdict = entry.verdict
        if verdict is None or not verdict.ready:
            entry.starts_again()
            return None
        obj = view.get(entry.ref)
        signature = _signature(obj, view) if obj is not None else None
        if entry.ready_since is None or signature != entry.signature:
            entry.ready_since, entry.signature, entry.verdict_at = now, signature, None
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

    def waiting(self) -> list[Tracked]:
        """What has not passed, the Services last: what a workload lacks explains them."""
        found = [
            entry
            for entry in self.objects.values()
            if entry.verdict_at is None or entry.verdict is None or not entry.verdict.ready
        ]
        return sorted(found, key=lambda entry: entry.ref.kind == "Service")


def _signature(obj: Object, view: Snapshot) -> object:
    """Changes whenever a current pod is replaced or one of its containers is restarted."""
    if obj["kind"] == "Job":
        return None
    return sorted(
        (uid_of(pod), str(status.get("name")), int(status.get("restartCount") or 0))
        for pod in current_pods(obj, view)
        for status in container_statuses(pod)
    )
