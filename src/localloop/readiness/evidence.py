"""Evidence of a failure: pod states, logs and events, collected before anything is undone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..errors import LocalloopError
from ..kube.client import ApiError, Kube
from ..kube.fields import as_int, map_at, maps_at
from ..kube.objects import Object, ObjectRef, Snapshot, ref_of, timestamp, uid_of
from .pod_rule import container_statuses, pod_ready, terminating
from .revisions import all_pods, current_pods

LOG_LINES = 50
_LINE_LENGTH = 400
_LOG_BYTES = 64 * 1024
_PODS = 3
_CONTAINERS = 4
_EVENTS = 10
_BUDGET = 8.0  # seconds
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# The kubelet's answers, instead of a log, for a container that it has removed.
_NO_LOG = (
    "unable to retrieve container logs for ",
    'failed to try resolving symlinks in path "/var/log/pods/',
)
_NODE_FILE = re.compile(r"hostPath type check failed: (\S+) is not a file")


def sanitize(text: str, limit: int = _LINE_LENGTH) -> str:
    """Untrusted text on one line of at most ``limit`` characters.

    Control characters and terminal escape sequences are removed.
    """
    flat = _CONTROL.sub("", _ESCAPES.sub("", text)).replace("\n", " ").replace("\t", " ")
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def collect_evidence(
    kube: Kube, refs: Iterable[ObjectRef], view: Snapshot, *, budget: float = _BUDGET
) -> tuple[dict[str, Any], ...]:
    """Collect evidence for each object within ``budget`` seconds; never raises.

    Each entry has ``ref`` (text), ``pods`` (name, phase, conditions, and per container its state
    and logs) and ``events`` (the newest warnings). All text is sanitized.
    """
    deadline = time.monotonic() + budget
    refs = list(refs)
    view = _with_fresh_pods(kube, sorted({ref.namespace for ref in refs}), view, deadline)
    events: dict[str, list[Object]] = {}
    found: list[dict[str, Any]] = []
    for ref in refs:
        obj = view.get(ref)
        pods = _relevant_pods(obj, view)
        if ref.namespace not in events:
            events[ref.namespace] = _warning_events(kube, ref.namespace, deadline)
        uids = {(ref.kind, ref.name): uid_of(obj) if obj else ""}
        uids |= {("Pod", str(pod["metadata"]["name"])): uid_of(pod) for pod in pods}
        if obj is not None and ref.key[:2] == ("apps", "Deployment"):
            uids |= {
                ("ReplicaSet", str(owner.get("name"))): str(owner.get("uid") or "")
                for pod in pods
                for owner in maps_at(pod, "metadata", "ownerReferences")
            }
        found.append(
            {
                "ref": str(ref),
                "pods": [_pod_evidence(kube, pod, deadline) for pod in pods[:_PODS]],
                "events": _events_about(events[ref.namespace], uids),
            }
        )
    return tuple(found)


def _with_fresh_pods(
    kube: Kube, namespaces: Sequence[str], view: Snapshot, deadline: float
) -> Snapshot:
    """The view with its pods read again: the watch on their owners may be ahead of theirs."""
    pods: list[Object] = []
    for namespace in filter(None, namespaces):
        with suppress(LocalloopError):
            pods += kube.list("v1", "Pod", namespace, timeout=_time_left(deadline))[0]
    return replace(view, objects=(*view.objects, *pods))


def pod_evidence(kube: Kube, pod: Object, *, budget: float = _BUDGET) -> dict[str, Any]:
    """One pod of ``collect_evidence``, read within ``budget`` seconds; never raises."""
    return _pod_evidence(kube, pod, time.monotonic() + budget)


def missing_node_file(evidence: Iterable[dict[str, Any]]) -> str | None:
    """The path of a node file that a pod could not mount, if the events report one."""
    for entry in evidence:
        for event in entry["events"]:
            match = _NODE_FILE.search(event["message"])
            if match:
                return match.group(1).strip("\"'")
    return None


def render_evidence(evidence: Iterable[dict[str, Any]]) -> str:
    """The evidence as plain text for people."""
    lines: list[str] = []
    for entry in evidence:
        lines.append(entry["ref"])
        for pod in entry["pods"]:
            lines.append(f"  pod {pod['name']} ({pod['phase']})")
            lines.extend(f"    {text}" for text in pod["conditions"])
            for container in pod["containers"]:
                lines.extend(_render_container(container))
        for event in entry["events"]:
            times = f" (x{event['count']})" if event["count"] > 1 else ""
            lines.append(f"  event {event['object']} {event['reason']}{times}: {event['message']}")
    return "\n".join(lines)


def _render_container(container: dict[str, Any]) -> list[str]:
    lines = [f"    container {container['name']}, {container['restarts']} restarts"]
    if container["waiting"]:
        lines.append(f"      waiting: {container['waiting']}")
    if container["terminated"]:
        lines.append(f"      last exit: {container['terminated']}")
    for which in ("previous", "current"):
        log: list[str] = container["logs"][which]
        if log:
            lines.append(f"      log ({which}, last {len(log)} lines):")
            lines.extend(f"        {line}" for line in log)
    return lines


def _relevant_pods(obj: Object | None, view: Snapshot) -> list[Object]:
    if obj is None:
        return []
    pods = current_pods(obj, view)
    if not pods and ref_of(obj).group in ("apps", "batch"):
        pods = all_pods(obj, view)
    return [pod for pod in pods if not pod_ready(pod) and not terminating(pod)] or pods[:1]


def _pod_evidence(kube: Kube, pod: Object, deadline: float) -> dict[str, Any]:
    status = map_at(pod, "status")
    ref = ref_of(pod)
    spec = map_at(pod, "spec")
    specs = {
        str(container.get("name")): {**container, "init": section == "initContainers"}
        for section in ("initContainers", "containers")
        for container in maps_at(spec, section)
    }
    containers = [
        _container_evidence(kube, ref, entry, deadline)
        | _declared(specs.get(str(entry.get("name")), {}))
        for entry in list(container_statuses(pod))[-_CONTAINERS:]
        if not _completed(entry)
    ]
    return {
        "name": ref.name,
        "phase": sanitize(str(status.get("phase") or "Unknown")),
        "conditions": [
            sanitize(f"{c.get('type')}: {c.get('reason') or ''} {c.get('message') or ''}".strip())
            for c in maps_at(status, "conditions")
            if c.get("status") != "True"
        ],
        "containers": containers,
    }


def _declared(container: Mapping[str, Any]) -> dict[str, Any]:
    """What the pod's spec declares of a container: its ports and its readiness probe."""
    ports = {
        str(port.get("name") or ""): port.get("containerPort")
        for port in maps_at(container, "ports")
    }
    probe = map_at(container, "readinessProbe")
    request = ""
    for kind in ("httpGet", "tcpSocket", "grpc", "exec"):
        if probe.get(kind) is not None:
            handler = map_at(probe, kind)
            port = handler.get("port", "")
            where = f" :{ports.get(str(port), port)}{handler.get('path') or ''}" if port else ""
            request = sanitize(f"{kind}{where}")
    return {
        "init": bool(container.get("init")),
        "ports": [as_int(port) for port in ports.values() if as_int(port)],
        "readiness_probe": request,
    }


def _completed(status: Any) -> bool:
    ended = map_at(status, "state", "terminated")
    return bool(ended) and ended.get("exitCode") == 0 and not status.get("restartCount")


def _container_evidence(kube: Kube, pod: ObjectRef, status: Any, deadline: float) -> dict[str, Any]:
    state = map_at(status, "state")
    waiting = map_at(state, "waiting")
    ended = map_at(status, "lastState", "terminated") or map_at(state, "terminated")
    name = str(status.get("name"))
    restarts = as_int(status.get("restartCount"))
    started = bool(state.get("running") or state.get("terminated") or restarts)
    since = map_at(state, "running").get("startedAt") or ended.get("startedAt")
    return {
        "name": name,
        "restarts": restarts,
        "ready": status.get("ready") is True,
        "started": since if isinstance(since, str) else "",
        "waiting": sanitize(
            f"{waiting.get('reason') or ''} {waiting.get('message') or ''}".strip()
        ),
        "terminated": sanitize(
            f"exit {ended.get('exitCode')}, {ended.get('reason') or 'no reason'}"
            f" {ended.get('message') or ''}".strip()
        )
        if ended
        else "",
        "logs": {
            "current": _log(kube, pod, name, deadline) if started else [],
            "previous": _log(kube, pod, name, deadline, previous=True) if restarts else [],
        },
    }


def _log(
    kube: Kube, pod: ObjectRef, container: str, deadline: float, *, previous: bool = False
) -> list[str]:
    query = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(_LOG_BYTES)}
    if previous:
        query["previous"] = "true"
    try:
        body = kube.request(
            "GET",
            f"{kube.path_of(pod)}/log",
            query=query,
            accept="*/*",
            timeout=_time_left(deadline),
        ).body
    except ApiError as error:
        return [] if error.status in (400, 404) else [sanitize(f"(no log: {error.message})")]
    except LocalloopError as error:
        return [sanitize(f"(no log: {error.message})")]
    lines = body[:_LOG_BYTES].decode("utf-8", "replace").splitlines()
    return [sanitize(line) for line in lines[-LOG_LINES:] if not line.startswith(_NO_LOG)]


def _warning_events(kube: Kube, namespace: str, deadline: float) -> list[Object]:
    if _time_left(deadline) <= 0.1 or not namespace:
        return []
    try:
        items, _ = kube.list(
            "v1", "Event", namespace, field_selector="type=Warning", timeout=_time_left(deadline)
        )
    except LocalloopError:
        return []
    return items


def _events_about(
    events: Sequence[Object], uids: Mapping[tuple[str, str], str]
) -> list[dict[str, Any]]:
    """The newest events about these objects, and not about earlier ones of the same names."""
    chosen = [event for event in events if _is_about(event, uids)]
    chosen.sort(key=_event_time, reverse=True)
    return [
        {
            "object": sanitize("/".join(_about(event))),
            "part": sanitize(str(map_at(event, "involvedObject").get("fieldPath") or "")),
            "reason": sanitize(str(event.get("reason") or "")),
            "message": sanitize(str(event.get("message") or "")),
            "count": as_int(event.get("count") or map_at(event, "series").get("count")) or 1,
            "last": str(_last_seen(event)),
        }
        for event in chosen[:_EVENTS]
    ]


def _about(event: Object) -> tuple[str, str]:
    """Kind and name of the object that an event is about."""
    about = map_at(event, "involvedObject")
    return str(about.get("kind")), str(about.get("name"))


def _is_about(event: Object, uids: Mapping[tuple[str, str], str]) -> bool:
    uid = str(map_at(event, "involvedObject").get("uid") or "")
    wanted = uids.get(_about(event))
    return wanted is not None and (not uid or not wanted or uid == wanted)


def _last_seen(event: Object) -> Any:
    """When it last happened. What repeats is told in ``series`` or by ``lastTimestamp``."""
    return (
        map_at(event, "series").get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or map_at(event, "metadata").get("creationTimestamp")
        or ""
    )


def _event_time(event: Object) -> tuple[float, int]:
    """Within one second, which is all that most times tell, the last one written is the newest."""
    version = as_int(map_at(event, "metadata").get("resourceVersion"))
    return timestamp(_last_seen(event)) or 0.0, version


def _time_left(deadline: float) -> float:
    return max(0.1, min(3.0, deadline - time.monotonic()))
