"""Objects that are not workloads: PVCs, CRDs, Services, CronJobs and custom resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kube.fields import annotations_of, as_int, as_map, as_maps, labels_of, map_at, maps_at
from ..kube.kinds import WORKLOADS
from ..kube.objects import Object, Snapshot, condition, ref_of, uid_of
from ..kube.selectors import selects
from .pod_rule import Suspect, terminating
from .revisions import desired_pods, generation_observed, generation_of, template_labels
from .verdict import NOT_GATED, Case, Verdict, with_suspects

_WITH_TEMPLATES = (*(("apps", kind) for kind in (*WORKLOADS, "ReplicaSet")), ("batch", "Job"))


def cronjob(case: Case) -> Verdict:
    """Ready if it exists: it runs on its own schedule."""
    return case.ready("exists")


def persistent_volume_claim(case: Case) -> Verdict:
    """Bound; not gated where the volume is bound only when a pod uses it."""
    phase = case.status.get("phase")
    if phase == "Bound":
        return case.ready("bound")
    if phase == "Lost":
        return case.failed("claim_lost", "its volume is gone")
    storage = _storage_class(case)
    if storage and storage.get("volumeBindingMode") == "WaitForFirstConsumer":
        return Verdict(NOT_GATED, "", "bound when a pod uses it", case.ref)
    return case.progressing("not_bound", str(phase or "no phase"))


def _storage_class(case: Case) -> Object | None:
    classes = case.view.of_kind("storage.k8s.io", "StorageClass", "")
    name = case.spec.get("storageClassName")
    if name is not None:
        return next((each for each in classes if each["metadata"]["name"] == name), None)
    default = "storageclass.kubernetes.io/is-default-class"
    return next((each for each in classes if annotations_of(each).get(default) == "true"), None)


def custom_resource_definition(case: Case) -> Verdict:
    """Established, with its names accepted."""
    names = condition(case.obj, "NamesAccepted")
    if names.get("status") == "False":
        return case.failed("names_not_accepted", str(names.get("message") or "name conflict"))
    if condition(case.obj, "Established").get("status") == "True":
        return case.ready("established")
    return case.progressing("not_established", "not established")


def service(case: Case) -> Verdict:
    """A cluster IP, and a ready endpoint where a workload that it selects wants pods."""
    kind = case.spec.get("type") or "ClusterIP"
    if kind == "ExternalName":
        return case.ready("external name")
    if not case.spec.get("clusterIP"):
        return case.progressing("no_cluster_ip", "no cluster IP yet")
    balanced = kind == "LoadBalancer" and case.thresholds.load_balancers
    if balanced and not map_at(case.status, "loadBalancer").get("ingress"):
        return case.progressing("no_ingress", "the load balancer has no address yet")
    selector = as_map(case.spec.get("selector"))
    if not selector:
        return case.ready("no selector")
    ready = ready_endpoints(case.obj, case.view)
    if ready:
        return case.ready(f"{ready} endpoints")
    if not _selects_anything(case, selector):
        warning = f"Service {case.ref.name} selects no workload that is here: it has no endpoint"
        return case.ready("0 endpoints", warning)
    backends = [
        workload
        for kind in WORKLOADS
        for workload in case.view.of_kind("apps", kind, case.ref.namespace)
        if selects(selector, template_labels(workload))
    ]
    if backends and not any(
        desired_pods(workload) or not generation_observed(workload) for workload in backends
    ):
        return case.ready(
            "0 endpoints", f"Service {case.ref.name}: the workloads it selects want no pods"
        )
    return case.progressing("no_endpoints", "no ready endpoint")


def ready_endpoints(service: Object, view: Snapshot) -> int:
    """How many ready addresses a Service has."""
    ref = ref_of(service)
    endpoints = view.endpoints(ref.namespace, ref.name)
    return sum(len(maps_at(subset, "addresses")) for subset in maps_at(endpoints, "subsets"))


def _selects_anything(case: Case, selector: Mapping[str, Any]) -> bool:
    """Whether it selects the pods of a workload that was read, or a pod of its own."""
    templates = [
        template_labels(workload)
        for group, kind in _WITH_TEMPLATES
        for workload in case.view.of_kind(group, kind, case.ref.namespace)
    ]
    pods = [labels_of(pod) for pod in case.view.pods(case.ref.namespace) if not terminating(pod)]
    return any(selects(selector, labels) for labels in (*templates, *pods))


def custom_resource(case: Case) -> Verdict:
    """By its conditions Stalled, Reconciling and Ready, as kstatus (sigs.k8s.io/cli-utils) does.

    Its status may hold anything: not gated, with a warning, where it is not what kstatus reads.
    """
    unusual = _unusual_status(case)
    if unusual:
        warning = f"{case.ref.kind} {case.ref.name} is not gated: {unusual}"
        return Verdict(NOT_GATED, "", unusual, case.ref, (warning,))
    ready = condition(case.obj, "Ready")
    observed = _observed(case)
    if any(as_int(seen) < generation_of(case.obj) for seen in observed):
        return case.progressing("not_observed", "not yet observed by its controller")
    # A controller that reports no generation may not have seen the newest one.
    current = bool(observed) or generation_of(case.obj) == 1
    stalled = condition(case.obj, "Stalled")
    if stalled.get("status") == "True":
        text = str(stalled.get("message") or "stalled")
        if current:
            return case.failed("stalled", text)
        suspect = Suspect(
            ("stalled", uid_of(case.obj), ""), "stalled", text, case.thresholds.hold, case.ref
        )
        return with_suspects(case.progressing("stalled", text), [suspect])
    reconciling = condition(case.obj, "Reconciling")
    if reconciling.get("status") == "True":
        return case.progressing("reconciling", str(reconciling.get("message") or "reconciling"))
    if not ready:
        return Verdict(NOT_GATED, "", "has no Ready condition", case.ref)
    if ready.get("status") != "True":
        text = str(ready.get("message") or ready.get("reason") or "not ready")
        return case.progressing("not_ready", text)
    if not current:
        return Verdict(NOT_GATED, "", "does not say which generation is ready", case.ref)
    return case.ready("ready")


def _observed(case: Case) -> list[Any]:
    """The generations that it says its controller has observed."""
    ready = condition(case.obj, "Ready")
    values = case.status.get("observedGeneration"), ready.get("observedGeneration")
    return [value for value in values if value is not None]


def _unusual_status(case: Case) -> str:
    """Why its status cannot be judged; empty if it can."""
    status = case.obj.get("status")
    if status is not None and not isinstance(status, Mapping):
        return "its status is not an object"
    conditions = case.status.get("conditions")
    if conditions is not None and len(as_maps(conditions)) != _length(conditions):
        return "its conditions are not a list of objects"
    for kind in ("Ready", "Reconciling", "Stalled"):
        found = condition(case.obj, kind)
        if found and found.get("status") not in ("True", "False", "Unknown"):
            return f'its condition {kind} has a status other than "True", "False" and "Unknown"'
    if any(as_int(value, -1) < 0 for value in _observed(case)):
        return "its observedGeneration is not a number"
    return ""


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else -1
