"""The pod rule: what in a pod's status means that it will not become ready by itself.

Nothing here knows the time. A ``Suspect`` says how long its cause must last before it counts; the
gate measures that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..kube.fields import as_int, as_map, map_at, maps_at
from ..kube.objects import Object, ObjectRef, condition, ref_of, uid_of


@dataclass(frozen=True)
class Thresholds:
    """The gate's thresholds. Times are in seconds.

    ``hold`` is how long an ordinary cause must last before it is fatal; ``replica_failure`` the
    same for a Deployment's ReplicaFailure; ``load_balancers`` whether they need an address.
    """

    hold: float = 20.0
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
    counts from when it was first seen.
    """

    key: tuple[str, str, str]
    reason: str
    detail: str
    hold: float
    ref: ObjectRef
    warn_after: float | None = None
    sticky: bool = False


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
    "CrashLoopBackOff": (CRASH_LOOP, True),
}


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
    initial_restarts: Mapping[tuple[str, str], int],
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    *,
    crashes: bool = True,
) -> list[Suspect]:
    """What keeps this pod from becoming ready.

    ``initial_restarts`` are the restart counts by (pod uid, container) when the pod was first seen;
    only restarts since then count. ``crashes=False`` for Jobs, which limit retries themselves.
    """
    if terminating(pod) or pod_ready(pod):
        return []
    ref, uid = ref_of(pod), uid_of(pod)
    found: list[Suspect] = []
    for status in container_statuses(pod):
        name = str(status.get("name"))
        waiting = map_at(status, "state", "waiting")
        waiting_reason = str(waiting.get("reason") or "")
        reason, may_recover = _WAITING.get(waiting_reason, ("", True))
        restarts = as_int(status.get("restartCount"))
        new_restarts = restarts - initial_restarts.get((uid, name), restarts)
        if reason and reason != CRASH_LOOP:
            message = f": {waiting['message']}" if waiting.get("message") else ""
            text = f"{name}: {waiting_reason}{message}"
            hold = thresholds.hold if may_recover else 0.0
            found.append(Suspect((reason, uid, name), reason, text, hold, ref))
        elif crashes and (reason == CRASH_LOOP or new_restarts >= thresholds.max_restarts):
            state = waiting_reason or "restarted"
            text = f"{name}: {state}, {_last_exit(status)}, {restarts} restarts"
            key = (CRASH_LOOP, uid, name)
            found.append(Suspect(key, CRASH_LOOP, text, thresholds.hold, ref, sticky=True))
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        found.append(
            Suspect(
                ("unschedulable", uid, ""),
                "unschedulable",
                str(scheduled.get("message") or "no node can run the pod"),
                thresholds.unschedulable_fail,
                ref,
                warn_after=thresholds.unschedulable_warn,
            )
        )
    return found


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


def _last_exit(status: Mapping[str, Any]) -> str:
    for state in ("lastState", "state"):
        ended = map_at(status, state, "terminated")
        if ended:
            return f"exit {ended.get('exitCode')} ({ended.get('reason') or 'no reason'})"
    return "exit unknown"
