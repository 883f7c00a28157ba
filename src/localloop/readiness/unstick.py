"""Pods that would hold up what this run has mended are deleted, each of them once.

A broken pod of an older revision blocks a StatefulSet. A pod that an earlier run left broken, with
the template that this run has released again, waits for the kubelet to try once more: it doubles
that time with each failure, up to five minutes (``MaxContainerBackOff``), by the pod's uid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.objects import Object, Snapshot, ref_of, timestamp, uid_of
from .pod_rule import CRASH_LOOP, IMAGE_PULL_FAILED, Thresholds, pod_suspects, terminating
from .revisions import all_pods, current_pods
from .tracking import Tracked

_REPLACED = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
_BACKED_OFF = (CRASH_LOOP, IMAGE_PULL_FAILED)


@dataclass
class Unsticker:
    """``warn`` tells a person; ``run_age`` is how long before the gate this run began, in seconds.

    Without ``run_age`` no pod counts as an earlier run's.
    """

    kube: Kube
    thresholds: Thresholds
    warn: Callable[[str], None]
    run_age: float | None = None
    deleted: set[str] = field(default_factory=set)

    def look(self, entry: Tracked, view: Snapshot) -> None:
        """Delete the pods that hold up a workload which this run changed."""
        obj, verdict = view.get(entry.ref), entry.verdict
        if obj is None or verdict is None or not entry.touched or entry.ref.kind not in _REPLACED:
            return
        if verdict.ready or verdict.reason == "not_observed":
            return
        for suspect in verdict.suspects:
            pod = view.get(suspect.ref) if suspect.reason in _BACKED_OFF else None
            if pod is not None and self._is_of_an_earlier_run(pod, view):
                self._delete(pod, f"left by an earlier run ({suspect.reason})")
        if entry.ref.kind == "StatefulSet":
            self._unblock(obj, view)

    def _is_of_an_earlier_run(self, pod: Object, view: Snapshot) -> bool:
        made = timestamp(pod["metadata"].get("creationTimestamp"))
        if made is None or view.gate_started is None or self.run_age is None:
            return False
        return made + 1 < view.gate_started - self.run_age  # the server gives whole seconds

    def _unblock(self, obj: Object, view: Snapshot) -> None:
        strategy = (obj.get("spec") or {}).get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        current = {uid_of(pod) for pod in current_pods(obj, view)}
        for pod in all_pods(obj, view):
            if uid_of(pod) in current or terminating(pod):
                continue
            stuck = pod_suspects(pod, view.initial_restarts, self.thresholds)
            if stuck and not _below_partition(pod, strategy):
                self._delete(pod, f"stuck on an older revision ({stuck[0].reason})")

    def _delete(self, pod: Object, why: str) -> None:
        name, uid = pod["metadata"]["name"], uid_of(pod)
        if uid in self.deleted:
            return
        self.deleted.add(uid)
        try:
            self.kube.delete(ref_of(pod), uid=uid)
        except (ApiError, ApiUnreachable) as error:
            self.warn(f"could not delete the pod {name}, {why}: {error.message}")
            return
        self.warn(f"deleted the pod {name}, {why}")


def _below_partition(pod: Object, strategy: Mapping[str, Any]) -> bool:
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    ordinal = str(pod["metadata"]["name"]).rpartition("-")[2]
    return ordinal.isdigit() and int(ordinal) < partition
