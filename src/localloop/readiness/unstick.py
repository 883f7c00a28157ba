"""Deletes broken pods that would hold up what this run has fixed, each of them once.

A broken pod of an older revision blocks a StatefulSet's rollout. A pod that an earlier run left
broken, and whose template this run did not change, waits for the kubelet's next try: the kubelet
doubles its back-off per pod with each failure, up to five minutes (``MaxContainerBackOff``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.fields import as_int, map_at
from ..kube.kinds import WORKLOADS
from ..kube.objects import Object, Snapshot, ref_of, timestamp, uid_of
from .pod_rule import CRASH_LOOP, IMAGE_PULL_FAILED, Thresholds, pod_suspects, terminating
from .revisions import all_pods, current_pods
from .tracking import Tracked

_HAVE_PODS_REPLACED = tuple(("apps", kind) for kind in (*WORKLOADS, "ReplicaSet"))
_BACKED_OFF = (CRASH_LOOP, IMAGE_PULL_FAILED)


@dataclass
class Unsticker:
    """``warn`` shows a warning."""

    kube: Kube
    thresholds: Thresholds
    warn: Callable[[str], None]
    deleted: set[str] = field(default_factory=set)

    def delete_blocking_pods(self, entry: Tracked, view: Snapshot) -> None:
        """Delete the pods that hold up this workload, if this run changed it."""
        obj, verdict = view.get(entry.ref), entry.verdict
        if (
            obj is None
            or verdict is None
            or not entry.touched
            or (entry.ref.group, entry.ref.kind) not in _HAVE_PODS_REPLACED
        ):
            return
        if verdict.ready or verdict.reason == "not_observed":
            return
        for suspect in verdict.suspects:
            pod = view.get(suspect.ref) if suspect.reason in _BACKED_OFF else None
            if pod is not None and _is_from_an_earlier_run(pod, view):
                self._delete(pod, f"left by an earlier run: {suspect.reason}")
        if entry.ref.kind == "StatefulSet":
            self._unblock_rollout(obj, view)

    def _unblock_rollout(self, obj: Object, view: Snapshot) -> None:
        strategy = map_at(obj, "spec", "updateStrategy")
        if strategy.get("type") == "OnDelete":
            return
        current = {uid_of(pod) for pod in current_pods(obj, view)}
        for pod in all_pods(obj, view):
            if uid_of(pod) in current or terminating(pod):
                continue
            suspects = pod_suspects(pod, view, self.thresholds)
            if suspects and not _below_partition(pod, strategy):
                self._delete(pod, f"stuck on an older revision: {suspects[0].reason}")

    def _delete(self, pod: Object, why: str) -> None:
        name, uid = pod["metadata"]["name"], uid_of(pod)
        if uid in self.deleted:
            return
        self.deleted.add(uid)
        try:
            self.kube.delete(ref_of(pod), uid=uid)
        except (ApiError, ApiUnreachable) as error:
            self.warn(f"could not delete pod {name} ({why}): {error.message}")
            return
        self.warn(f"deleted pod {name} ({why})")


def _is_from_an_earlier_run(pod: Object, view: Snapshot) -> bool:
    created = timestamp(map_at(pod, "metadata").get("creationTimestamp"))
    if created is None or view.run_started is None:
        return False
    return created + 1 < view.run_started  # the server's times are whole seconds


def _below_partition(pod: Object, strategy: Mapping[str, Any]) -> bool:
    partition = as_int(map_at(strategy, "rollingUpdate").get("partition"))
    ordinal = str(pod["metadata"]["name"]).rpartition("-")[2]
    return ordinal.isdigit() and int(ordinal) < partition
