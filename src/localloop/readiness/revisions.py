"""The pods of a workload, and which of them belong to its current revision."""

from __future__ import annotations

from collections.abc import Mapping

from ..kube.fields import annotations_of, as_int, labels_of, map_at
from ..kube.objects import Object, Snapshot, uid_of
from .pod_rule import pod_finished, terminating


def generation_observed(obj: Object) -> bool:
    """Whether the controller has observed the newest generation (some report it as text)."""
    seen = as_int(map_at(obj, "status").get("observedGeneration"))
    return seen > 0 and seen >= generation_of(obj)


def generation_of(obj: Object) -> int:
    """The generation; 1 for an object that has none."""
    return as_int(map_at(obj, "metadata").get("generation")) or 1


def desired_pods(obj: Object) -> int:
    """How many pods a workload wants: a DaemonSet by its status, the others by spec.replicas."""
    if obj["kind"] == "DaemonSet":
        return as_int(map_at(obj, "status").get("desiredNumberScheduled"))
    return as_int(map_at(obj, "spec").get("replicas"), 1)


def current_pods(obj: Object, view: Snapshot) -> list[Object]:
    """The pods of a workload's current revision, without terminating and finished ones.

    For a Job all its pods that are not terminating; for a Pod itself.
    """
    kind = obj["kind"]
    if kind == "Pod":
        return [obj]
    if kind == "Deployment":
        pods = [
            pod
            for replicaset in _current_replicasets(obj, view)
            for pod in view.owned_by(uid_of(replicaset), "Pod")
        ]
    elif kind == "StatefulSet":
        pods = _with_hash(obj, view, str(map_at(obj, "status").get("updateRevision") or ""))
    elif kind == "DaemonSet":
        pods = _daemon_pods(obj, view)
    else:
        pods = view.owned_by(uid_of(obj), "Pod")
        if kind == "Job":
            return [pod for pod in pods if not terminating(pod)]
    return [pod for pod in pods if not terminating(pod) and not pod_finished(pod)]


def all_pods(obj: Object, view: Snapshot) -> list[Object]:
    """The pods of all revisions of a workload."""
    if obj["kind"] != "Deployment":
        return view.owned_by(uid_of(obj), "Pod")
    return [
        pod
        for replicaset in view.owned_by(uid_of(obj), "ReplicaSet")
        for pod in view.owned_by(uid_of(replicaset), "Pod")
    ]


def _current_replicasets(obj: Object, view: Snapshot) -> list[Object]:
    name = "deployment.kubernetes.io/revision"
    revision = annotations_of(obj).get(name)
    return [
        replicaset
        for replicaset in view.owned_by(uid_of(obj), "ReplicaSet")
        if revision and annotations_of(replicaset).get(name) == revision
    ]


def _with_hash(obj: Object, view: Snapshot, revision: str) -> list[Object]:
    return [
        pod
        for pod in view.owned_by(uid_of(obj), "Pod")
        if revision and label_of(pod, "controller-revision-hash") == revision
    ]


def _daemon_pods(obj: Object, view: Snapshot) -> list[Object]:
    # A DaemonSet's status does not name its revision, but its newest ControllerRevision does.
    history = view.owned_by(uid_of(obj), "ControllerRevision")
    if history:
        newest = max(history, key=lambda entry: as_int(entry.get("revision")))
        return _with_hash(obj, view, label_of(newest, "controller-revision-hash"))
    generation = annotations_of(obj).get("deprecated.daemonset.template.generation")
    pods = view.owned_by(uid_of(obj), "Pod")
    return [
        pod
        for pod in pods
        if generation is None or label_of(pod, "pod-template-generation") == generation
    ]


def template_labels(workload: Object) -> Mapping[str, str]:
    """The labels in a workload's pod template."""
    return labels_of(map_at(workload, "spec", "template"))


def label_of(obj: Object, name: str) -> str:
    """A label's value, or an empty string."""
    return labels_of(obj).get(name, "")
