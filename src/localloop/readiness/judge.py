"""When is an object ready, and when has it failed: pure predicates over what was observed.

Time enters nowhere: causes that have to last are returned as suspects, for the gate to hold.
"""

from __future__ import annotations

from collections.abc import Callable

from ..kube.objects import Object, ObjectRef, Snapshot
from . import resources, workloads
from .pod_rule import DEFAULT_THRESHOLDS, Thresholds, terminating
from .verdict import NOT_GATED, PROGRESSING, Case, Expected, Verdict

_RULES: dict[tuple[str, str], Callable[[Case], Verdict]] = {
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
    """Judge one object by everything else that was seen. ``expected`` as in ``image_proof``."""
    case = Case(obj, view, expected or {}, thresholds)
    if terminating(obj):
        return case.progressing("terminating", "being deleted")
    rule = _RULES.get((case.ref.group, case.ref.kind))
    if rule:
        return rule(case)
    if is_gated(case.ref):
        return resources.custom_resource(case)
    return Verdict(NOT_GATED, "", "exists", case.ref)


def missing_verdict(ref: ObjectRef) -> Verdict:
    """The verdict on an object that is not there."""
    return Verdict(PROGRESSING, "missing", "not found", ref)


def is_gated(ref: ObjectRef) -> bool:
    """Whether objects of this kind have a readiness that can be judged at all."""
    builtin = not ref.group or "." not in ref.group or ref.group.endswith(".k8s.io")
    return (ref.group, ref.kind) in _RULES or not builtin
