"""Jobs that were deleted before the gate could see how they ended: did they complete?

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

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


@dataclass
class CompletedJobs:
    """Finds Jobs that completed unseen, and notes them in the store.

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
            uid = completed_uid(self.kube, ref, self.since[ref])
        except (ApiError, ApiUnreachable):
            uid = ""
        if uid:
            self.store.note_completed(ref, uid)
        return now + pause


def completed_uid(kube: Kube, ref: ObjectRef, since: float) -> str:
    """The uid of the newest Job of that name, or "" unless all of them since then completed.

    Raises ``ApiError`` or ``ApiUnreachable``.
    """
    about = f"involvedObject.kind=Job,involvedObject.name={ref.name}"
    events, _ = kube.list("v1", "Event", ref.namespace, field_selector=about, timeout=3.0)
    reasons_by_uid: dict[str, set[str]] = {}
    for event in sorted(events, key=_created):
        if _created(event) >= since:
            uid = str(map_at(event, "involvedObject").get("uid") or "")
            reasons_by_uid.setdefault(uid, set()).add(str(event.get("reason")))
    if not all("Completed" in reasons for reasons in reasons_by_uid.values()):
        return ""
    return next(reversed(reasons_by_uid), "")


def _created(event: Object) -> float:
    return timestamp(map_at(event, "metadata").get("creationTimestamp")) or 0.0
