"""The pod rule: what in a pod's status means that it will not become ready by itself.

Nothing here knows the time. A ``Suspect`` says how long its cause must last before it counts; the
gate measures that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..kube.fields import as_int, as_map, map_at, maps_at
from ..kube.objects import Object, ObjectRef, Snapshot, condition, ref_of, timestamp, uid_of
from .held import holder


@dataclass(frozen=True)
class Thresholds:
    """The gate's thresholds. Times are in seconds.

    ``hold`` is how long an ordinary cause must last before it is fatal; ``replica_failure`` the
    same for a Deployment's ReplicaFailure; ``others_turn`` the same where something else may still
    help: a controller that makes a Secret, pods that leave a quota, a webhook that starts.
    ``load_balancers``: whether they need an address.
    """

    hold: float = 20.0
    others_turn: float = 60.0
    max_restarts: int = 3
    unschedulable_warn: float = 15.0
    unschedulable_fail: float = 60.0
    replica_failure: float = 10.0
    load_balancers: bool = False


DEFAULT_THRESHOLDS = Thresholds()


@dataclass(frozen=True)
class Suspect:
    """A cause that is fatal once it has lasted ``hold`` seconds and a second read confirms it.

    ``key`` identifies the cause across observations; ``ref`` is the object to read again;
    ``warn_after`` is when to warn, in seconds. A ``sticky`` cause comes and goes, and its time
    counts from when it was first seen. ``hold`` is ``GOES_ON`` where Kubernetes goes on trying.
    """

    key: tuple[str, str, str]
    reason: str
    detail: str
    hold: float
    ref: ObjectRef
    warn_after: float | None = None
    sticky: bool = False


GOES_ON = math.inf
CRASH_LOOP = "crash_loop"
IMAGE_PULL_FAILED = "image_pull_failed"
# The kubelet's waiting reason → our name for it, and whether waiting can help.
_WAITING: dict[str, tuple[str, bool]] = {
    "InvalidImageName": ("invalid_image_name", False),
    "ErrImageNeverPull": ("image_never_pull", False),
    "ErrImagePull": (IMAGE_PULL_FAILED, True),
    "ImagePullBackOff": (IMAGE_PULL_FAILED, True),
    "ImageInspectError": (IMAGE_PULL_FAILED, True),
    "RegistryUnavailable": (IMAGE_PULL_FAILED, True),
    "SignatureValidationFailed": (IMAGE_PULL_FAILED, True),
    "CreateContainerConfigError": ("container_config_error", True),
    "CreateContainerError": ("container_create_failed", True),
    "RunContainerError": ("container_start_failed", True),
    "PreCreateHookError": ("hook_failed", True),
    "PreStartHookError": ("hook_failed", True),
    "PostStartHookError": ("hook_failed", True),
}
_BACK_OFF = "CrashLoopBackOff"
# The container shows these in turn with CrashLoopBackOff.
_COMES_AND_GOES = ("container_start_failed", "hook_failed")
_DOES_NOT_EXIST = re.compile(r"\b(?:secret|configmap) \"[^\"]*\" not found", re.IGNORECASE)
# Exit statuses of a shell, and what a container runtime says: the program cannot be run at all.
_NEVER_RUNS = (126, 127)
_CANNOT_RUN = re.compile(
    r"exec format error|executable file not found"
    r"|exec: .*: (?:no such file or directory|permission denied|is a directory)"
)


def container_statuses(pod: Object) -> Iterator[Mapping[str, Any]]:
    """The statuses of all containers, init containers and sidecars first."""
    yield from maps_at(pod, "status", "initContainerStatuses")
    yield from maps_at(pod, "status", "containerStatuses")


def pod_ready(pod: Object) -> bool:
    """Whether the pod is running, has the Ready condition and is not being deleted."""
    return (
        not terminating(pod)
        and map_at(pod, "status").get("phase") == "Running"
        and condition(pod, "Ready").get("status") == "True"
    )


def terminating(obj: Object) -> bool:
    """Whether the object is being deleted."""
    return bool(map_at(obj, "metadata").get("deletionTimestamp"))


def not_terminating(objects: Any) -> list[Object]:
    """Those that are not being deleted; ``UsageError`` where it is not a list of objects."""
    if isinstance(objects, list | tuple) and all(
        isinstance(as_map(obj).get("metadata"), Mapping) for obj in objects
    ):
        return [obj for obj in objects if not terminating(obj)]
    raise UsageError("unexpected_data", "not a list of Kubernetes objects")


def pod_finished(pod: Object) -> bool:
    """Whether all its containers have terminated for good."""
    return map_at(pod, "status").get("phase") in ("Succeeded", "Failed")


def pod_suspects(
    pod: Object,
    view: Snapshot,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    *,
    crashes: bool = True,
) -> list[Suspect]:
    """What keeps this pod from becoming ready.

    Only the restarts since ``view`` first had the pod count. ``crashes=False`` for Jobs, which
    limit retries themselves.
    """
    if terminating(pod) or pod_ready(pod):
        return []
    found: list[Suspect] = []
    for status in container_statuses(pod):
        crash = _crash(pod, status, view, thresholds) if crashes else None
        waiting = _waiting(pod, status, thresholds)
        if crash is not None and (crash.hold != GOES_ON or waiting is None):
            found.append(crash)
        elif waiting is not None:
            found.append(waiting)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        text = str(scheduled.get("message") or "no node can run the pod")
        found.append(_unschedulable(pod, text, view, thresholds))
    return found


def _waiting(pod: Object, status: Mapping[str, Any], thresholds: Thresholds) -> Suspect | None:
    """What the kubelet waits for, if that is a cause."""
    waiting = map_at(status, "state", "waiting")
    kubelet_reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if kubelet_reason not in _WAITING:
        return None
    reason, may_recover = _WAITING[kubelet_reason]
    hold = thresholds.hold if may_recover else 0.0
    if reason == "container_config_error" and _DOES_NOT_EXIST.search(message):
        hold = thresholds.others_turn
    name = str(status.get("name"))
    text = f"{name}: {kubelet_reason}{f': {message}' if message else ''}"
    key = (reason, uid_of(pod), name)
    return Suspect(key, reason, text, hold, ref_of(pod), sticky=reason in _COMES_AND_GOES)


def _crash(
    pod: Object, status: Mapping[str, Any], view: Snapshot, thresholds: Thresholds
) -> Suspect | None:
    """A container that keeps exiting. The kubelet goes on starting it, at growing intervals."""
    name, uid = str(status.get("name")), uid_of(pod)
    restarts = as_int(status.get("restartCount"))
    new_restarts = restarts - view.initial_restarts.get((uid, name), restarts)
    waiting = str(map_at(status, "state", "waiting").get("reason") or "")
    ended = map_at(status, "state", "terminated")
    if ended and ended.get("exitCode") == 0:
        return None  # an init container that has succeeded, after however many tries
    if new_restarts > 0 and _cannot_run(status):
        hold = 0.0
    elif new_restarts >= thresholds.max_restarts:
        # The last start gets its chance while it runs.
        hold = 0.0 if ended or waiting == _BACK_OFF else thresholds.hold
    elif waiting == _BACK_OFF:
        hold = GOES_ON
    else:
        return None
    text = f"{name}: {waiting or 'restarted'}, {_last_exit(status)}, {restarts} restarts"
    # The pauses before the last start do not count as its time.
    pauses = f"{name} pauses" if hold == GOES_ON else name
    return Suspect(
        (CRASH_LOOP, uid, pauses),
        CRASH_LOOP,
        text,
        hold,
        ref_of(pod),
        warn_after=thresholds.hold if hold == GOES_ON else None,
        sticky=True,
    )


def _unschedulable(pod: Object, text: str, view: Snapshot, thresholds: Thresholds) -> Suspect:
    """No node for the pod; its time begins once no pod that is ending holds what it asks for."""
    leaving = [other for other in view.pods(ref_of(pod).namespace) if _grace_runs(other, view.now)]
    held_by = holder(pod, text, leaving)
    return Suspect(
        ("unschedulable", uid_of(pod), held_by),
        "unschedulable",
        f"{text} (held by {held_by}, which is ending)" if held_by else text,
        GOES_ON if held_by else thresholds.unschedulable_fail,
        ref_of(pod),
        warn_after=thresholds.unschedulable_warn,
    )


def _grace_runs(pod: Object, now: float) -> bool:
    """Whether it is being deleted and still has time to end (its deletionTimestamp says when)."""
    ends = timestamp(map_at(pod, "metadata").get("deletionTimestamp"))
    return ends is not None and now < ends and not pod_finished(pod)


def has_any_probe(pod_spec: Mapping[str, Any]) -> bool:
    """Whether at least one container has a probe of any kind."""
    return any(
        container.get(probe)
        for container in long_running(pod_spec)
        for probe in ("readinessProbe", "livenessProbe", "startupProbe")
    )


def all_have_readiness_probes(pod_spec: Mapping[str, Any]) -> bool:
    """Whether every long-running container has a readiness probe, so that Ready is proven."""
    return all(container.get("readinessProbe") for container in long_running(pod_spec))


def long_running(pod_spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ordinary containers, and the sidecars among the init containers.

    A sidecar is an init container with ``restartPolicy: Always`` (Kubernetes 1.28).
    """
    sidecars = [
        container
        for container in maps_at(pod_spec, "initContainers")
        if container.get("restartPolicy") == "Always"
    ]
    return [*maps_at(pod_spec, "containers"), *sidecars]


def _cannot_run(status: Mapping[str, Any]) -> bool:
    """Whether its last end shows that it cannot be run, so that another try cannot help."""
    ended = _last_end(status)
    waiting = map_at(status, "state", "waiting")
    said = f"{ended.get('message') or ''} {waiting.get('message') or ''}"
    return as_int(ended.get("exitCode")) in _NEVER_RUNS or bool(_CANNOT_RUN.search(said))


def _last_end(status: Mapping[str, Any]) -> Mapping[str, Any]:
    return map_at(status, "state", "terminated") or map_at(status, "lastState", "terminated")


def _last_exit(status: Mapping[str, Any]) -> str:
    ended = _last_end(status)
    if not ended:
        return "exit unknown"
    return f"exit {ended.get('exitCode')} ({ended.get('reason') or 'no reason'})"
