"""Jobs that were gone before the gate could see how they ended: did they complete?

A Job's controller tells so in an Event, which stays for an hour when the Job's TTL deletes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.objects import Object, ObjectRef, timestamp
from .store import Store

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


@dataclass
class CompletedJobs:
    """Tells the store of Jobs that completed unseen.

    ``since``: the Jobs that may have, and the server's time after which they were made.
    """

    kube: Kube
    store: Store
    since: Mapping[ObjectRef, float]
    _due: dict[ObjectRef, tuple[float, float]] = field(default_factory=dict)

    def ask(self, ref: ObjectRef, now: float) -> float:
        """Ask for a missing Job, in growing pauses: an Event may come after the deletion.

        Returns when to ask again.
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
    """The uid of the newest Job of that name, if all that were told of since then completed."""
    about = f"involvedObject.kind=Job,involvedObject.name={ref.name}"
    events, _ = kube.list("v1", "Event", ref.namespace, field_selector=about, timeout=3.0)
    told: dict[str, set[str]] = {}
    for event in sorted(events, key=_created):
        if _created(event) >= since:
            uid = str(event["involvedObject"].get("uid") or "")
            told.setdefault(uid, set()).add(str(event.get("reason")))
    if not told or not all("Completed" in reasons for reasons in told.values()):
        return ""
    return [*told][-1]


def _created(event: Object) -> float:
    return timestamp(event["metadata"].get("creationTimestamp")) or 0.0
