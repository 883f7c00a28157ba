"""What a failed gate tells a person: one screen that names the place, the cause, the next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..kube.objects import ObjectRef
from .causes import CAUSES, EVENT, LOG, PROBE_FAILS, TERMINATED, WAITING, Cause
from .reasons import reason_named

Evidence = dict[str, Any]
_LINES = 8
_EVENTS = 3
# Events that are over once a container runs.
_BEFORE_START = ("FailedMount", "FailedAttachVolume", "FailedScheduling", "FailedCreatePodSandBox")
_PATIENT = ("ContainerCreating", "PodInitializing")


@dataclass(frozen=True)
class Diagnosis:
    """Plain strings, empty where nothing is known. ``cause`` is a stable name, as ``reason``."""

    reason: str
    cause: str
    workload: str
    pod: str
    container: str
    meaning: str
    next_step: str
    lines: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def __str__(self) -> str:
        """The screen, without the next step."""
        places = ("pod", self.pod), ("container", self.container)
        place = [self.workload, *(f"{word} {name}" for word, name in places if name)]
        found = [", ".join(filter(None, place)), self.meaning]
        if self.lines:
            found += ["last lines:", *(f"  {line}" for line in self.lines)]
        if self.events:
            found += ["events:", *(f"  {line}" for line in self.events)]
        return "\n".join(filter(None, found))


def diagnose(
    reason: str, detail: str, evidence: Sequence[Evidence] = (), *, meaning: str = ""
) -> Diagnosis:
    """What the evidence says of the first object in it.

    ``meaning``: of a reason that is none of the gate's.
    """
    entry: Evidence = evidence[0] if evidence else {"ref": "", "pods": [], "events": []}
    pod, container = _culprit(entry)
    cause = _cause(reason, detail, entry, container)
    row = reason_named(reason)
    meaning = meaning or (row.meaning if row else reason)
    if detail:
        meaning += f" ({detail})"
    if cause:
        meaning += f"\n{cause.meaning} ({_precise(cause, container)})"
    step = cause or row
    return Diagnosis(
        reason=reason,
        cause=cause.name if cause else "",
        workload=_workload(entry["ref"]),
        pod=pod["name"] if pod else "",
        container=_named(container) if container else "",
        meaning=meaning,
        next_step=step.next_step if step else "",
        lines=tuple(_last_lines(container)) if container else (),
        events=tuple(_event(event) for event in entry["events"][:_EVENTS]),
    )


def _culprit(entry: Evidence) -> tuple[Evidence | None, Evidence | None]:
    """The pod and container to look at: one that waits or has ended, else the first."""
    every = [(pod, container) for pod in entry["pods"] for container in pod["containers"]]
    for pod, container in every:
        waiting = container["waiting"].partition(" ")[0]
        if (waiting and waiting not in _PATIENT) or container["terminated"]:
            return pod, container
    if every:
        return every[0]
    return (entry["pods"][0], None) if entry["pods"] else (None, None)


def _cause(reason: str, detail: str, entry: Evidence, container: Evidence | None) -> Cause | None:
    head = reason.partition(":")[0]
    texts = {
        WAITING: [c["waiting"] for pod in entry["pods"] for c in pod["containers"]],
        TERMINATED: [c["terminated"] for pod in entry["pods"] for c in pod["containers"]],
        LOG: list(_log(container)) if container and container["terminated"] else [],
        EVENT: [
            f"{head} {detail}",
            *(text for pod in entry["pods"] for text in pod["conditions"]),
            *(
                f"{event['reason']} {event['message']}"
                for event in entry["events"]
                if not (_runs(container) and event["reason"] in _BEFORE_START)
            ),
        ],
    }
    for cause in CAUSES:
        if cause.explains(head, texts):
            return cause
    if container is None or head not in PROBE_FAILS.only or not container["readiness_probe"]:
        return None
    return PROBE_FAILS if _runs(container) else None


def _runs(container: Evidence | None) -> bool:
    if container is None:
        return False
    return not container["waiting"] and not container["terminated"]


def _precise(cause: Cause, container: Evidence | None) -> str:
    """The cause's name; of a probe also where it asks, and what the container declares."""
    if not cause.name.startswith("probe_") or not container or not container["readiness_probe"]:
        return cause.name
    ports = ", ".join(map(str, container["ports"])) or "none"
    return f"{cause.name}: {container['readiness_probe']}; declared ports: {ports}"


def _workload(ref: str) -> str:
    if not ref:
        return ""
    found = ObjectRef.parse(ref)
    return (
        f"{found.kind} {found.namespace}/{found.name}"
        if found.namespace
        else (f"{found.kind} {found.name}")
    )


def _named(container: Evidence) -> str:
    return f"{container['name']} (init)" if container["init"] else str(container["name"])


def _log(container: Evidence) -> Iterator[str]:
    yield from container["logs"]["previous"]
    yield from container["logs"]["current"]


def _last_lines(container: Evidence) -> list[str]:
    logs = container["logs"]
    return list(logs["previous"] or logs["current"])[-_LINES:]


def _event(event: Evidence) -> str:
    times = f" (x{event['count']})" if event["count"] > 1 else ""
    return f"{event['object']} {event['reason']}{times}: {event['message']}"
