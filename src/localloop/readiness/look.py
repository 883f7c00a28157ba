"""One look: everything in scope read and judged once, without waiting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..config.model import HttpCheck, PodScope
from ..kube.client import Kube
from ..kube.collections import Collection, fetch_collections
from ..kube.fields import as_int, labels_of, map_at
from ..kube.kinds import WORKLOADS
from ..kube.objects import Object, ObjectRef, Snapshot, condition, ref_of, timestamp, uid_of
from ..kube.selectors import matches
from .http_check import http_failure
from .judge import is_gated, judge, missing_verdict
from .pod_rule import (
    DEFAULT_THRESHOLDS,
    Thresholds,
    all_have_readiness_probes,
    container_statuses,
    terminating,
)
from .resources import ready_endpoints
from .result import GateResult, ObjectResult
from .revisions import all_pods, current_pods, template_labels
from .verdict import Verdict

DEFAULT_WINDOW = 2.0
"""Seconds that a workload without readiness probes must stay ready."""
HTTP_CHECK_SECONDS = 3.0
"""Seconds to wait for the answer to one HTTP check."""


def collections_to_read(
    scope: Iterable[ObjectRef], also: Iterable[PodScope] = (), *, selected: bool = False
) -> list[Collection]:
    """The collections that are needed to judge the scope: one per kind and namespace.

    ``selected`` adds all workloads in the namespaces of Services: a Service without endpoints is
    ready if none of the workloads it selects wants pods.
    """
    found: dict[tuple[str, str, str], Collection] = {}

    def add(
        api_version: str, kind: str, namespace: str, group: str, metadata_only: bool = False
    ) -> None:
        key = (group, kind, namespace)
        known = found.get(key)
        if known is None or (known.metadata_only and not metadata_only):
            found[key] = Collection(api_version, kind, namespace, metadata_only)

    def add_related(kind: str, namespace: str) -> None:
        if kind in (*WORKLOADS, "ReplicaSet", "Job"):
            add("v1", "Pod", namespace, "")
        if kind == "Deployment":
            add("apps/v1", "ReplicaSet", namespace, "apps", True)
        elif kind == "DaemonSet":
            add("apps/v1", "ControllerRevision", namespace, "apps")
        elif kind == "Service":
            add("v1", "Endpoints", namespace, "")
            for workload in WORKLOADS if selected else ():
                add("apps/v1", workload, namespace, "apps")
        elif kind == "PersistentVolumeClaim":
            add("storage.k8s.io/v1", "StorageClass", "", "storage.k8s.io")

    for ref in scope:
        if is_gated(ref):
            add(ref.api_version, ref.kind, ref.namespace, ref.group)
            if ref.group in ("", "apps", "batch"):
                add_related(ref.kind, ref.namespace)
    for entry in also:
        add("v1", "Pod", entry.namespace, "")
        for kind in WORKLOADS:
            add("apps/v1", kind, entry.namespace, "apps")
            add_related(kind, entry.namespace)
    return sorted(found.values())


def fetch_scope(kube: Kube, scope: Iterable[ObjectRef], also: Iterable[PodScope] = ()) -> Snapshot:
    """Read everything that is needed to judge the scope: one LIST per kind and namespace."""
    return fetch_collections(kube, collections_to_read(scope, also))


def judge_ref(
    ref: ObjectRef,
    view: Snapshot,
    *,
    expected: Mapping[str, frozenset[str]],
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    completed: frozenset[ObjectRef] = frozenset(),
) -> Verdict:
    """Judge an object by name; ``completed`` are Jobs known to have completed earlier."""
    obj = view.get(ref)
    if obj is not None:
        return judge(obj, view, expected=expected, thresholds=thresholds)
    if not is_gated(ref):
        return Verdict("not_gated", "", "not looked at", ref)
    if ref in completed:
        return Verdict("ready", "", "complete (deleted since)", ref)
    return missing_verdict(ref)


def selected_workloads(selected: PodScope, view: Snapshot) -> list[ObjectRef]:
    """The workloads that a declared selector matches, and matching pods that none of them owns."""
    workloads = [
        obj
        for kind in WORKLOADS
        for obj in view.of_kind("apps", kind, selected.namespace)
        if matches(selected.selector, labels_of(obj))
        or matches(selected.selector, template_labels(obj))
    ]
    owned = {
        uid_of(pod)
        for kind in WORKLOADS
        for obj in view.of_kind("apps", kind, selected.namespace)
        for pod in all_pods(obj, view)
    }
    pods = [
        pod
        for pod in view.pods(selected.namespace)
        if uid_of(pod) not in owned
        and not terminating(pod)
        and matches(selected.selector, labels_of(pod))
    ]
    return [ref_of(obj) for obj in (*workloads, *pods)]


def has_pods(obj: Object) -> bool:
    """Whether it is a workload that keeps pods running, or a pod."""
    group, kind, *_ = ref_of(obj).key
    return (group, kind) == ("", "Pod") or (group == "apps" and kind in (*WORKLOADS, "ReplicaSet"))


def stability_window(obj: Object, stable_for: float | None) -> float:
    """How many seconds an object must stay ready before it counts as ready.

    ``stable_for`` None means 0 where every container has a readiness probe, else the default.
    """
    spec = map_at(obj, "spec")
    pod_spec = spec if obj["kind"] == "Pod" else map_at(spec, "template", "spec")
    if not has_pods(obj) or not pod_spec:
        return 0.0
    window = stable_for
    if window is None:
        window = 0.0 if all_have_readiness_probes(pod_spec) else DEFAULT_WINDOW
    if obj["kind"] == "StatefulSet" and "availableReplicas" not in map_at(obj, "status"):
        # Kubernetes before 1.22 does not apply minReadySeconds to StatefulSets.
        window = max(window, float(as_int(spec.get("minReadySeconds"))))
    return window


def last_pod_change(obj: Object, view: Snapshot) -> float | None:
    """When its current pods last changed (epoch seconds): a Ready transition or container start."""
    times = [
        moment
        for pod in current_pods(obj, view)
        for moment in (
            timestamp(condition(pod, "Ready").get("lastTransitionTime")),
            *(
                timestamp(map_at(status, "state", "running").get("startedAt"))
                for status in container_statuses(pod)
            ),
        )
        if moment is not None
    ]
    return max(times, default=None)


def seconds_until_stable(obj: Object, view: Snapshot, stable_for: float | None) -> float:
    """Seconds until the object has been stable for its window, by the API server's clock."""
    window = stability_window(obj, stable_for)
    if not window:
        return 0.0
    last = last_pod_change(obj, view)
    return 0.0 if last is None else max(0.0, window - (view.now - last))


def observe_once(
    kube: Kube,
    scope: Sequence[ObjectRef],
    *,
    expected: Mapping[str, frozenset[str]] | None = None,
    stable_for: float | None = None,
    also: Sequence[PodScope] = (),
    completed: frozenset[ObjectRef] = frozenset(),
    snapshot: Snapshot | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    checks: Sequence[HttpCheck] = (),
) -> GateResult:
    """Judge the scope by one snapshot, without waiting: ``ready`` or ``failed``.

    Not ready yet counts as ``failed``, with the reason ``REASON:NAME`` of the first object that is
    not ready. ``checks`` are sent only if everything else is ready. The parameters are those of
    ``run_gate``; ``snapshot`` is used instead of reading the scope. Raises ``ApiError`` or
    ``ApiUnreachable``.
    """
    view = snapshot or fetch_scope(kube, scope, also)
    view = _with_selected_workloads(kube, scope, view)
    targets, unmatched = expand_scope(scope, also, view)
    objects: list[ObjectResult] = []
    warnings: list[str] = []
    for ref in targets:
        verdict = judge_ref(
            ref, view, expected=expected or {}, thresholds=thresholds, completed=completed
        )
        obj = view.get(ref)
        if verdict.state == "ready" and obj and seconds_until_stable(obj, view, stable_for) > 0:
            detail = f"{verdict.detail}, only just"
            verdict = replace(verdict, state="progressing", reason="too_young", detail=detail)
        warnings.extend(verdict.warnings)
        objects.append(ObjectResult(ref, verdict.state, verdict.reason, verdict.detail))
    reason, subject, detail = _first_failure(kube, objects, unmatched, checks)
    return GateResult(
        "failed" if reason else "ready",
        reason,
        subject,
        detail,
        tuple(objects),
        tuple(dict.fromkeys(warnings)),
        not_gated(objects),
    )


def _first_failure(
    kube: Kube,
    objects: Sequence[ObjectResult],
    unmatched: Sequence[PodScope],
    checks: Sequence[HttpCheck],
) -> tuple[str, str, str]:
    """Reason, subject and detail of the first thing that is not ready; empty if all is."""
    in_state = {entry.state: entry for entry in reversed(objects)}
    bad = in_state.get("failed") or in_state.get("progressing")
    if bad:
        return f"{bad.reason}:{bad.ref.name}", bad.ref.name, bad.detail
    if unmatched:
        return f"no_match:{unmatched[0].selector}", unmatched[0].selector, ""
    for check in checks:
        failure = http_failure(kube, check, HTTP_CHECK_SECONDS)
        if failure:
            return f"http_check:{check.name}", check.name, failure
    return "", "", ""


def _with_selected_workloads(kube: Kube, scope: Iterable[ObjectRef], view: Snapshot) -> Snapshot:
    """The snapshot, plus all workloads in namespaces where a Service in scope has no endpoint."""
    without_endpoints = [
        ref
        for ref in scope
        if ref.key[:2] == ("", "Service")
        and (service := view.get(ref)) is not None
        and map_at(service, "spec").get("selector")
        and ready_endpoints(service, view) == 0
    ]
    if not without_endpoints:
        return view
    more = fetch_collections(kube, collections_to_read(without_endpoints, selected=True))
    return replace(view, objects=view.objects + more.objects)


def expand_scope(
    scope: Sequence[ObjectRef], also: Sequence[PodScope], view: Snapshot
) -> tuple[list[ObjectRef], list[PodScope]]:
    """The scope plus everything that the declared selectors match now.

    Also returns the selectors that match nothing, except the optional ones.
    """
    targets = {ref.key: ref for ref in scope}
    unmatched: list[PodScope] = []
    for entry in also:
        refs = selected_workloads(entry, view)
        if not refs and not entry.optional:
            unmatched.append(entry)
        for ref in refs:
            targets.setdefault(ref.key, ref)
    return list(targets.values()), unmatched


def not_gated(objects: Iterable[ObjectResult]) -> tuple[str, ...]:
    """The objects whose readiness cannot be judged, as text."""
    return tuple(str(entry.ref) for entry in objects if entry.state == "not_gated")
