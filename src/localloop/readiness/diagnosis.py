"""What a failed gate shows people: one screen with the place, the cause and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..kube.objects import ObjectRef, timestamp
from .cause import EVENT, LOG, TERMINATED, WAITING, Cause
from .causes import CAUSES, PROBE_FAILS
from .reasons import reason_named
from .scheduling import first_decisive

Evidence = dict[str, Any]
_LOG_LINES = 8
_EVENTS = 3
# Events of the pod that no longer matter once a container runs.
_BEFORE_START = ("FailedMount", "FailedAttachVolume", "FailedScheduling", "FailedCreatePodSandBox")
# Events that no longer matter once the container that they are about has started.
_STARTING = ("Failed", "InspectFailed", "ErrImageNeverPull")
_PROBE = re.compile(r"(liveness|readiness|startup) probe ")
_KILLED = ("exit 137,", "exit 143,")
_KILLING_PROBE = "liveness probe failed"
_READINESS_PROBE = "readiness probe "
_NORMAL_WAITS = ("ContainerCreating", "PodInitializing")


@dataclass(frozen=True)
class Diagnosis:
    """Why the gate failed. Strings are empty where nothing is known.

    ``reason`` and ``cause`` are stable names; ``lines`` are the container's last log lines.
    """

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
        """As plain data, for the journal and the report."""
        return asdict(self)

    def __str__(self) -> str:
        """The screen, without the next step."""
        parts = ("pod", self.pod), ("container", self.container)
        place = [self.workload, *(f"{kind} {name}" for kind, name in parts if name)]
        screen = [", ".join(filter(None, place)), self.meaning]
        if self.lines:
            screen += ["last lines:", *(f"  {line}" for line in self.lines)]
        if self.events:
            screen += ["events:", *(f"  {line}" for line in self.events)]
        return "\n".join(filter(None, screen))


def diagnose(
    reason: str, detail: str, evidence: Sequence[Evidence] = (), *, meaning: str = ""
) -> Diagnosis:
    """Explain a failure by the evidence of its first object (see ``collect_evidence``).

    ``reason`` may carry its subject (``crash_loop:web``). ``meaning`` explains a reason that is
    not in ``REASONS``.
    """
    entry: Evidence = evidence[0] if evidence else {"ref": "", "pods": [], "events": []}
    pod, container = _culprit(entry)
    cause = _cause(reason, detail, entry, container)
    known = reason_named(reason)
    meaning = meaning or (known.meaning if known else reason)
    if detail:
        meaning += f" ({detail})"
    if cause:
        meaning += f"\n{cause.meaning} ({_cause_label(cause, container)})"
    explained = cause or known
    return Diagnosis(
        reason=reason,
        cause=cause.name if cause else "",
        workload=_workload(entry["ref"]),
        pod=pod["name"] if pod else "",
        container=_container_label(container) if container else "",
        meaning=meaning,
        next_step=explained.next_step if explained else "",
        lines=tuple(_last_lines(container)) if container else (),
        events=tuple(_event(event) for event in entry["events"][:_EVENTS]),
    )


def _culprit(entry: Evidence) -> tuple[Evidence | None, Evidence | None]:
    """The pod and container to blame: one that waits or has terminated, else the first.

    One that is ready is to blame only if all are.
    """
    every = [(pod, container) for pod in entry["pods"] for container in pod["containers"]]
    pairs = [pair for pair in every if not pair[1].get("ready")] or every
    for pod, container in pairs:
        waiting = container["waiting"].partition(" ")[0]
        if (waiting and waiting not in _NORMAL_WAITS) or container["terminated"]:
            return pod, container
    if pairs:
        return pairs[0]
    return (entry["pods"][0], None) if entry["pods"] else (None, None)


def _cause(reason: str, detail: str, entry: Evidence, container: Evidence | None) -> Cause | None:
    head = reason.partition(":")[0]
    texts = {
        WAITING: [c["waiting"] for pod in entry["pods"] for c in pod["containers"]],
        TERMINATED: [c["terminated"] for pod in entry["pods"] for c in pod["containers"]],
        LOG: list(_log(container)) if container and container["terminated"] else [],
        EVENT: list(first_decisive(_reported(f"{head} {detail}", entry, container))),
    }
    for cause in CAUSES:
        if cause.explains(head, texts):
            return cause
    if container is None or head not in PROBE_FAILS.only or not container["readiness_probe"]:
        return None
    return PROBE_FAILS if _is_running(container) and not container.get("ready") else None


def _reported(failure: str, entry: Evidence, container: Evidence | None) -> Iterator[str]:
    """What the failure, the pods' conditions and the events say, the newest first."""
    yield failure
    for pod in entry["pods"]:
        yield from pod["conditions"]
    for event in _newest(entry["events"], container):
        if _is_past(event, container):
            continue
        if _ended_by_itself(container) and _KILLING_PROBE in event["message"].lower():
            continue
        yield f"{event['reason']} {event['message']}"


def _newest(events: Iterable[Evidence], container: Evidence | None) -> Iterator[Evidence]:
    """The events, without those that a newer one about the same thing supersedes.

    A readiness probe that was refused while the program started, and is now answered with 404,
    fails because of the 404.
    """
    seen: set[tuple[str, ...]] = set()
    for event in events:
        about = event["object"], event.get("part", ""), event["reason"], _topic(event, container)
        if about not in seen:
            seen.add(about)
            yield event


def _topic(event: Evidence, container: Evidence | None) -> str:
    """What an event is about: the beginning of its message, or the probe.

    The probes of a container that has never ended are one topic: none of them has stopped it.
    """
    message = event["message"].lower()
    if probe := _PROBE.match(message):
        return probe.group() if container and container["terminated"] else "probe"
    return str(message.partition(":")[0])


def _is_past(event: Evidence, container: Evidence | None) -> bool:
    """Whether it tells nothing of the container any more: it has started since, or it has ended."""
    if container is None:
        return False
    if event["reason"] in _BEFORE_START and _is_running(container):
        return True
    of_it = str(event.get("part", "")).endswith(f"{{{container['name']}}}")
    probed = of_it and event["message"].lower().startswith(_READINESS_PROBE)
    if probed and not _is_running(container) and container["terminated"]:
        return True
    started, last = timestamp(container.get("started")), timestamp(event.get("last"))
    if started is None or last is None or last >= started:
        return False
    return event["reason"] in _BEFORE_START or probed or (event["reason"] in _STARTING and of_it)


def _is_running(container: Evidence | None) -> bool:
    if container is None:
        return False
    return not container["waiting"] and not container["terminated"]


def _ended_by_itself(container: Evidence | None) -> bool:
    """Whether it last ended without one of the signals that the kubelet sends."""
    ended = container["terminated"] if container else ""
    return bool(ended) and not ended.startswith(_KILLED)


def _cause_label(cause: Cause, container: Evidence | None) -> str:
    """The cause's name; for a probe also what it requests and which ports are declared."""
    if not cause.name.startswith("probe_") or not container or not container["readiness_probe"]:
        return cause.name
    ports = ", ".join(map(str, container["ports"])) or "none"
    return f"{cause.name}: {container['readiness_probe']}; declared ports: {ports}"


def _workload(ref: str) -> str:
    if not ref:
        return ""
    parsed = ObjectRef.parse(ref)
    prefix = f"{parsed.namespace}/" if parsed.namespace else ""
    return f"{parsed.kind} {prefix}{parsed.name}"


def _container_label(container: Evidence) -> str:
    return f"{container['name']} (init)" if container["init"] else str(container["name"])


def _log(container: Evidence) -> Iterator[str]:
    yield from container["logs"]["previous"]
    yield from container["logs"]["current"]


def _last_lines(container: Evidence) -> list[str]:
    logs = container["logs"]
    return list(logs["previous"] or logs["current"])[-_LOG_LINES:]


def _event(event: Evidence) -> str:
    times = f" (x{event['count']})" if event["count"] > 1 else ""
    return f"{event['object']} {event['reason']}{times}: {event['message']}"
