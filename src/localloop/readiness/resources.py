"""Objects that are not workloads: PVCs, CRDs, Services, CronJobs and custom resources."""

from __future__ import annotations

from typing import Any

from ..kube.objects import Object, condition, uid_of
from ..kube.selectors import selects
from .pod_rule import Suspect
from .revisions import desired_pods, generation_observed, template_labels
from .verdict import NOT_GATED, Case, Verdict, with_suspects


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
        return next((entry for entry in classes if entry["metadata"]["name"] == name), None)
    default = "storageclass.kubernetes.io/is-default-class"
    return next(
        (e for e in classes if (e["metadata"].get("annotations") or {}).get(default) == "true"),
        None,
    )


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
    if kind == "LoadBalancer" and case.thresholds.load_balancers:
        balancer = case.status.get("loadBalancer") or {}
        if not balancer.get("ingress"):
            return case.progressing("no_ingress", "the load balancer has no address yet")
    selector = case.spec.get("selector")
    if not selector:
        return case.ready("no selector")
    endpoints = case.view.endpoints(case.ref.namespace, case.ref.name)
    ready = sum(
        len(subset.get("addresses") or ()) for subset in (endpoints or {}).get("subsets") or ()
    )
    if ready:
        return case.ready(f"{ready} endpoints")
    backends = [
        workload
        for kind in ("Deployment", "StatefulSet", "DaemonSet")
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


def custom_resource(case: Case) -> Verdict:
    """By its conditions Stalled, Reconciling and Ready, as kstatus (sigs.k8s.io/cli-utils) does."""
    ready = condition(case.obj, "Ready")
    observed = [
        generation
        for generation in (case.status.get("observedGeneration"), ready.get("observedGeneration"))
        if generation is not None
    ]
    if not all(_is_current(generation, case.obj) for generation in observed):
        return case.progressing("not_observed", "not yet observed by its controller")
    # A controller that reports no generation may not have seen the newest one.
    current = bool(observed) or int(case.obj["metadata"].get("generation") or 1) == 1
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
        text = ready.get("message") or ready.get("reason") or "not ready"
        return case.progressing("not_ready", str(text))
    if not current:
        return Verdict(NOT_GATED, "", "does not say which generation is ready", case.ref)
    return case.ready("ready")


def _is_current(generation: Any, obj: Object) -> bool:
    try:
        return int(generation) >= int(obj["metadata"].get("generation") or 0)
    except (TypeError, ValueError):
        return False
