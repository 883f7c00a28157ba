"""What the gate has to look at, fetched once: the cheap proof that nothing needs doing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..config.model import HttpCheck, PodScope
from ..kube.client import Kube
from ..kube.collections import Collection, fetch_collections
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
from .result import GateResult, ObjectResult
from .revisions import all_pods, current_pods
from .verdict import Verdict

DEFAULT_WINDOW = 2.0
HTTP_CHECK_SECONDS = 3.0


def collections_to_read(
    scope: Iterable[ObjectRef], also: Iterable[PodScope] = (), *, selected: bool = False
) -> list[Collection]:
    """The collections that judging the scope needs: one a kind and namespace.

    ``selected`` adds the workloads that a Service may select, in scope or not: they tell one
    without endpoints whether any are wanted.
    """
    found: dict[tuple[str, str, str], Collection] = {}

    def need(
        api_version: str, kind: str, namespace: str, group: str, metadata_only: bool = False
    ) -> None:
        key = (group, kind, namespace)
        known = found.get(key)
        if known is None or (known.metadata_only and not metadata_only):
            found[key] = Collection(api_version, kind, namespace, metadata_only)

    def companions(kind: str, namespace: str) -> None:
        if kind in (*WORKLOADS, "ReplicaSet", "Job"):
            need("v1", "Pod", namespace, "")
        if kind == "Deployment":
            need("apps/v1", "ReplicaSet", namespace, "apps", True)
        elif kind == "DaemonSet":
            need("apps/v1", "ControllerRevision", namespace, "apps")
        elif kind == "Service":
            need("v1", "Endpoints", namespace, "")
            for workload in WORKLOADS if selected else ():
                need("apps/v1", workload, namespace, "apps")
        elif kind == "PersistentVolumeClaim":
            need("storage.k8s.io/v1", "StorageClass", "", "storage.k8s.io")

    for ref in scope:
        if is_gated(ref):
            need(ref.api_version, ref.kind, ref.namespace, ref.group)
            if ref.group in ("", "apps", "batch"):
                companions(ref.kind, ref.namespace)
    for entry in also:
        need("v1", "Pod", entry.namespace, "")
        for kind in WORKLOADS:
            need("apps/v1", kind, entry.namespace, "apps")
            companions(kind, entry.namespace)
    return sorted(found.values())


def fetch_scope(kube: Kube, scope: Iterable[ObjectRef], also: Iterable[PodScope] = ()) -> Snapshot:
    """What judging the scope needs, as a snapshot."""
    return fetch_collections(kube, collections_to_read(scope, also))


def judge_ref(
    ref: ObjectRef,
    view: Snapshot,
    *,
    expected: Mapping[str, frozenset[str]],
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    completed: frozenset[ObjectRef] = frozenset(),
) -> Verdict:
    """Judge an object by name; ``completed`` are Jobs known to have completed before."""
    obj = view.get(ref)
    if obj is not None:
        return judge(obj, view, expected=expected, thresholds=thresholds)
    if not is_gated(ref):
        return Verdict("not_gated", "", "not looked at", ref)
    if ref in completed:
        return Verdict("ready", "", "complete (deleted since)", ref)
    return missing_verdict(ref)


def selected_workloads(entry: PodScope, view: Snapshot) -> list[ObjectRef]:
    """The workloads that a declared selector finds, and the pods that none of them owns."""
    workloads = [
        obj
        for kind in WORKLOADS
        for obj in view.of_kind("apps", kind, entry.namespace)
        if matches(entry.selector, obj["metadata"].get("labels"))
        or matches(entry.selector, _template_labels(obj))
    ]
    owned = {
        uid_of(pod)
        for kind in WORKLOADS
        for obj in view.of_kind("apps", kind, entry.namespace)
        for pod in all_pods(obj, view)
    }
    pods = [
        pod
        for pod in view.pods(entry.namespace)
        if uid_of(pod) not in owned
        and not terminating(pod)
        and matches(entry.selector, pod["metadata"].get("labels"))
    ]
    return [ref_of(obj) for obj in (*workloads, *pods)]


def stability_window(obj: Object, stable_for: float | None) -> float:
    """How long this object has to stay ready before that counts."""
    spec = obj.get("spec") or {}
    pod_spec = spec if obj["kind"] == "Pod" else (spec.get("template") or {}).get("spec")
    if obj["kind"] not in (*WORKLOADS, "ReplicaSet", "Pod") or not pod_spec:
        return 0.0
    window = stable_for
    if window is None:
        window = 0.0 if all_have_readiness_probes(pod_spec) else DEFAULT_WINDOW
    if obj["kind"] == "StatefulSet" and "availableReplicas" not in (obj.get("status") or {}):
        # Servers before 1.22 do not count what minReadySeconds asks for.
        window = max(window, float(spec.get("minReadySeconds") or 0))
    return window


def last_pod_change(obj: Object, view: Snapshot) -> float | None:
    """When its current pods last changed: the latest Ready condition or container start."""
    times = [
        moment
        for pod in current_pods(obj, view)
        for moment in (
            timestamp(condition(pod, "Ready").get("lastTransitionTime")),
            *(
                timestamp(((status.get("state") or {}).get("running") or {}).get("startedAt"))
                for status in container_statuses(pod)
            ),
        )
        if moment is not None
    ]
    return max(times, default=None)


def seconds_until_stable(obj: Object, view: Snapshot, stable_for: float | None) -> float:
    """Seconds until one observation proves stability by the server's clock; 0 where it does."""
    window = stability_window(obj, stable_for)
    if not window or obj["kind"] == "Job":
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
    """The gate's judgement on one snapshot, without waiting: ``ready`` or ``failed``.

    Not ready yet is ``failed`` too, with the reason ``REASON:NAME`` of the first object that is
    not; an API server that does not answer raises. ``checks`` are asked once all else is ready.
    """
    view = _with_selected(kube, scope, snapshot or fetch_scope(kube, scope, also))
    targets, unmatched = expand_scope(scope, also, view)
    objects: list[ObjectResult] = []
    warnings: list[str] = []
    for ref in targets:
        verdict = judge_ref(
            ref, view, expected=expected or {}, thresholds=thresholds, completed=completed
        )
        obj = view.get(ref)
        if verdict.state == "ready" and obj and seconds_until_stable(obj, view, stable_for) > 0:
            young = f"{verdict.detail}, only just"
            verdict = replace(verdict, state="progressing", reason="too_young", detail=young)
        warnings.extend(verdict.warnings)
        objects.append(ObjectResult(ref, verdict.state, verdict.reason, verdict.detail))
    bad = next((entry for entry in objects if entry.state == "failed"), None) or next(
        (entry for entry in objects if entry.state == "progressing"), None
    )
    reason, subject, detail = "", "", ""
    if bad:
        reason, subject, detail = f"{bad.reason}:{bad.ref.name}", bad.ref.name, bad.detail
    elif unmatched:
        reason, subject = f"no_match:{unmatched[0].selector}", unmatched[0].selector
    else:
        for check in checks:
            detail = http_failure(kube, check, HTTP_CHECK_SECONDS)
            if detail:
                reason, subject = f"http_check:{check.name}", check.name
                break
    return GateResult(
        "failed" if reason else "ready",
        reason,
        subject,
        detail,
        tuple(objects),
        tuple(dict.fromkeys(warnings)),
        not_gated(objects),
    )


def _with_selected(kube: Kube, scope: Iterable[ObjectRef], view: Snapshot) -> Snapshot:
    """The snapshot, with all workloads wherever a Service in scope has no endpoint."""
    lonely = [
        ref
        for ref in scope
        if ref.key[:2] == ("", "Service")
        and (service := view.get(ref)) is not None
        and judge(service, view).reason == "no_endpoints"
    ]
    if not lonely:
        return view
    more = fetch_collections(kube, collections_to_read(lonely, selected=True))
    return replace(view, objects=view.objects + more.objects)


def expand_scope(
    scope: Sequence[ObjectRef], also: Sequence[PodScope], view: Snapshot
) -> tuple[list[ObjectRef], list[PodScope]]:
    """The scope and all that the declared selectors find now; and selectors that find nothing."""
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
    """The objects of kinds, or in states, that have no readiness."""
    return tuple(str(entry.ref) for entry in objects if entry.state == "not_gated")


def _template_labels(obj: Object) -> Mapping[str, str]:
    template = (obj.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}
