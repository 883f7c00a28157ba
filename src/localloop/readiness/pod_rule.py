"""The pod rule: what in a pod's status means that it will not become ready by itself.

Nothing here decides by time. A ``Suspect`` says how long its cause has to last before it counts;
the gate holds the watch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..kube.objects import Object, ObjectRef, condition, ref_of, uid_of


@dataclass(frozen=True)
class Thresholds:
    """The gate's thresholds, in seconds and counts; whether load balancers need an address."""

    hold: float = 20.0
    max_restarts: int = 3
    unschedulable_warn: float = 15.0
    unschedulable_fail: float = 60.0
    replica_failure: float = 10.0
    load_balancers: bool = False


DEFAULT_THRESHOLDS = Thresholds()


@dataclass(frozen=True)
class Suspect:
    """A cause that is fatal once it was seen for ``hold`` seconds, and twice.

    ``key`` names the cause across observations; ``ref`` is the object whose fresh read is the
    second sighting; ``sticky`` causes count from their first sighting although they come and go.
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
# What the kubelet gives as a waiting reason → our name for it, and whether waiting can help.
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
    """The statuses of the init, sidecar and ordinary containers."""
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def pod_ready(pod: Object) -> bool:
    """Running, with the Ready condition, and not on its way out."""
    return (
        not terminating(pod)
        and (pod.get("status") or {}).get("phase") == "Running"
        and condition(pod, "Ready").get("status") == "True"
    )


def terminating(obj: Object) -> bool:
    """Whether the object is being deleted."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def pod_finished(pod: Object) -> bool:
    """Whether all its containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def pod_suspects(
    pod: Object,
    initial_restarts: Mapping[tuple[str, str], int],
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    *,
    crashes: bool = True,
) -> list[Suspect]:
    """What holds this pod back. ``crashes=False`` where a Job counts its own retries."""
    if terminating(pod) or pod_ready(pod):
        return []
    ref, uid = ref_of(pod), uid_of(pod)
    found: list[Suspect] = []
    for status in container_statuses(pod):
        name = str(status.get("name"))
        waiting = (status.get("state") or {}).get("waiting") or {}
        why = str(waiting.get("reason") or "")
        reason, patient = _WAITING.get(why, ("", True))
        restarts = int(status.get("restartCount") or 0)
        fresh = restarts - initial_restarts.get((uid, name), restarts)
        if reason and reason != CRASH_LOOP:
            text = f"{name}: {why}" + (f": {waiting['message']}" if waiting.get("message") else "")
            hold = thresholds.hold if patient else 0.0
            found.append(Suspect((reason, uid, name), reason, text, hold, ref))
        elif crashes and (reason == CRASH_LOOP or fresh >= thresholds.max_restarts):
            text = f"{name}: {why or 'restarted'}, {_ending(status)}, {restarts} restarts"
            found.append(
                Suspect(
                    (CRASH_LOOP, uid, name), CRASH_LOOP, text, thresholds.hold, ref, sticky=True
                )
            )
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        found.append(
            Suspect(
                ("unschedulable", uid, ""),
                "unschedulable",
                str(scheduled.get("message") or "no node takes the pod"),
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
    """Whether "Ready" says something about each container."""
    return all(container.get("readinessProbe") for container in long_running(pod_spec))


def long_running(pod_spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers that stay: the ordinary ones, and sidecars among the init containers."""
    sidecars = [
        container
        for container in pod_spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    ]
    return [*(pod_spec.get("containers") or ()), *sidecars]


def _ending(status: Mapping[str, Any]) -> str:
    for state in (status.get("lastState") or {}, status.get("state") or {}):
        ended = state.get("terminated")
        if ended:
            return f"exit {ended.get('exitCode')} ({ended.get('reason') or 'no reason'})"
    return "exit unknown"
