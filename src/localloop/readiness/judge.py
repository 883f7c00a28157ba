"""Whether an object is ready or has failed: pure functions of what was observed.

They know no time: causes that count only once they have lasted are returned as suspects.
"""

from __future__ import annotations

from collections.abc import Callable

from ..kube.kinds import is_builtin
from ..kube.objects import Object, ObjectRef, Snapshot
from . import resources, workloads
from .pod_rule import DEFAULT_THRESHOLDS, Thresholds, terminating
from .verdict import NOT_GATED, PROGRESSING, Case, Expected, Verdict

_JUDGES: dict[tuple[str, str], Callable[[Case], Verdict]] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "StatefulSet"): workloads.statefulset,
    ("apps", "DaemonSet"): workloads.daemonset,
    ("apps", "ReplicaSet"): workloads.replicaset,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): resources.cronjob,
    ("", "Pod"): workloads.pod,
    ("", "PersistentVolumeClaim"): resources.persistent_volume_claim,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): resources.custom_resource_definition,
    ("", "Service"): resources.service,
}


def judge(
    obj: Object,
    view: Snapshot,
    *,
    expected: Expected | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Verdict:
    """Judge one object by all that was observed in ``view``.

    ``expected`` as in ``image_proof``: the digests allowed per repository.
    """
    case = Case(obj, view, expected or {}, thresholds)
    if terminating(obj):
        return case.progressing("terminating", "being deleted")
    judge_kind = _JUDGES.get((case.ref.group, case.ref.kind))
    if judge_kind:
        return judge_kind(case)
    if is_gated(case.ref):
        return resources.custom_resource(case)
    return Verdict(NOT_GATED, "", "exists", case.ref)


def missing_verdict(ref: ObjectRef) -> Verdict:
    """The verdict on an object that does not exist."""
    return Verdict(PROGRESSING, "missing", "not found", ref)


def is_gated(ref: ObjectRef) -> bool:
    """Whether readiness can be judged for this kind: the kinds above and custom resources."""
    return (ref.group, ref.kind) in _JUDGES or not is_builtin(ref.group)
