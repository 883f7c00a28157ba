"""Jobs that were deleted before the gate could see how they ended: did they complete or fail?

The Job controller records it in an Event, which outlives a Job deleted by its TTL (by an hour, the
API server's default ``--event-ttl``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.fields import map_at
from ..kube.objects import Object, ObjectRef, timestamp
from .store import Store
from .verdict import EndedJob

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
_COMPLETED = "Completed"
# The reasons of a Job's condition Failed, which are also those of the controller's last Event.
_FAILED = (
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "PodFailurePolicy",
    "FailedIndexes",
    "MaxFailedIndexesExceeded",
)


@dataclass
class EndedJobs:
    """Finds out how Jobs ended unseen, and notes it in the store.

    ``since`` maps the Jobs to look for to the server's time (epoch seconds) after which they were
    created.
    """

    kube: Kube
    store: Store
    since: Mapping[ObjectRef, float]
    _due: dict[ObjectRef, tuple[float, float]] = field(default_factory=dict)

    def look_for(self, ref: ObjectRef, now: float) -> float:
        """Look for a missing Job's Events, with growing pauses: they may come after it is gone.

        ``now`` is the gate's clock; returns when to look again.
        """
        due, pause = self._due.get(ref, (now, _FIRST_PAUSE))
        if now < due:
            return due
        self._due[ref] = now + pause, min(2 * pause, _LONGEST_PAUSE)
        try:
            ended = how_it_ended(self.kube, ref, self.since[ref])
        except (ApiError, ApiUnreachable):
            ended = None
        if ended is not None:
            self.store.note_ended(ref, ended)
        return now + pause


def how_it_ended(kube: Kube, ref: ObjectRef, since: float) -> EndedJob | None:
    """How the newest Job of that name ended, if its Events say so.

    It has completed only if all Jobs of that name since then did. Raises ``ApiError`` or
    ``ApiUnreachable``.
    """
    about = f"involvedObject.kind=Job,involvedObject.name={ref.name}"
    events, _ = kube.list("v1", "Event", ref.namespace, field_selector=about, timeout=3.0)
    by_uid: dict[str, dict[str, Object]] = {}
    for event in sorted(events, key=_created):
        if _created(event) >= since:
            uid = str(map_at(event, "involvedObject").get("uid") or "")
            by_uid.setdefault(uid, {})[str(event.get("reason"))] = event
    if not by_uid:
        return None
    if all(_COMPLETED in found for found in by_uid.values()):
        return EndedJob(next(reversed(by_uid)))
    newest, found = by_uid.popitem()
    for reason in _FAILED:
        if reason in found:
            return EndedJob(newest, str(found[reason].get("message") or reason))
    return None


def _created(event: Object) -> float:
    return timestamp(map_at(event, "metadata").get("creationTimestamp")) or 0.0
