"""A StatefulSet whose broken older revision blocks the fixed one: delete its pod, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.objects import Object, Snapshot, ref_of, uid_of
from .podrule import Rules, Suspect, pod_suspects, terminating
from .revisions import all_pods, current_pods
from .tracking import Tracked


@dataclass
class Unstick:
    """Deletes each stuck pod at most once; ``warn`` tells a person."""

    kube: Kube
    rules: Rules
    warn: Callable[[str], None]
    deleted: set[str] = field(default_factory=set)

    def look(self, entry: Tracked, view: Snapshot) -> None:
        """Delete the pods of an older revision that block a StatefulSet which this run changed."""
        obj = view.get(entry.ref)
        if obj is None or entry.ref.kind != "StatefulSet" or not entry.touched:
            return
        verdict = entry.verdict
        strategy = (obj.get("spec") or {}).get("updateStrategy") or {}
        if verdict is None or verdict.ready or verdict.reason == "not_observed":
            return
        if strategy.get("type") == "OnDelete":
            return
        current = {uid_of(pod) for pod in current_pods(obj, view)}
        for pod in all_pods(obj, view):
            if uid_of(pod) in current | self.deleted or terminating(pod):
                continue
            stuck = pod_suspects(pod, view.baseline, self.rules)
            if stuck and not _below_partition(pod, strategy):
                self._delete(pod, stuck[0])

    def _delete(self, pod: Object, cause: Suspect) -> None:
        self.deleted.add(uid_of(pod))
        name = pod["metadata"]["name"]
        try:
            self.kube.delete(ref_of(pod), uid=uid_of(pod))
        except (ApiError, ApiUnreachable) as error:
            self.warn(f"could not delete the stuck pod {name}: {error.message}")
            return
        self.warn(f"deleted the pod {name}, stuck on an older revision ({cause.reason})")


def _below_partition(pod: Object, strategy: Mapping[str, Any]) -> bool:
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    ordinal = str(pod["metadata"]["name"]).rpartition("-")[2]
    return ordinal.isdigit() and int(ordinal) < partition
