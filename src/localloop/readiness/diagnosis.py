"""What a failed gate shows people: one screen with the place, the cause and the next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..kube.objects import ObjectRef
from .causes import CAUSES, EVENT, LOG, PROBE_FAILS, TERMINATED, WAITING, Cause
from .reasons import reason_named

Evidence = dict[str, Any]
_LOG_LINES = 8
_EVENTS = 3
# Events that no longer matter once a container runs.
_BEFORE_START = ("FailedMount", "FailedAttachVolume", "FailedScheduling", "FailedCreatePodSandBox")
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
    """The pod and container to blame: one that waits or has terminated, else the first."""
    pairs = [(pod, container) for pod in entry["pods"] for container in pod["containers"]]
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
        EVENT: [
            f"{head} {detail}",
            *(text for pod in entry["pods"] for text in pod["conditions"]),
            *(
                f"{event['reason']} {event['message']}"
                for event in entry["events"]
                if not (_is_running(container) and event["reason"] in _BEFORE_START)
            ),
        ],
    }
    for cause in CAUSES:
        if cause.explains(head, texts):
            return cause
    if container is None or head not in PROBE_FAILS.only or not container["readiness_probe"]:
        return None
    return PROBE_FAILS if _is_running(container) else None


def _is_running(container: Evidence | None) -> bool:
    if container is None:
        return False
    return not container["waiting"] and not container["terminated"]


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
