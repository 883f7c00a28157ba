"""When is an object ready, and when has it failed: pure predicates over what was observed.

Time enters nowhere: causes that have to last are returned as suspects, for the gate to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .imageproof import ImageFinding, image_digest, image_proof, split_image, template_findings
from .kube.objects import Object, ObjectRef, Snapshot, condition, ref_of, timestamp, uid_of
from .kube.selectors import selects
from .podrule import (
    DEFAULT_RULES,
    Rules,
    Suspect,
    has_any_probe,
    pod_finished,
    pod_ready,
    pod_suspects,
    terminating,
)

__all__ = [
    "ImageFinding",
    "Rules",
    "Suspect",
    "Verdict",
    "current_pods",
    "image_digest",
    "image_proof",
    "is_gated",
    "judge",
    "missing",
    "split_image",
    "wanted",
]

READY, PROGRESSING, FAILED, NOT_GATED = "ready", "progressing", "failed", "not_gated"
_NO_DEADLINE = 2**31 - 1
Expected = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Verdict:
    """One object at one moment. ``reason`` is a stable name (empty when ready)."""

    state: str
    reason: str
    detail: str
    ref: ObjectRef
    warnings: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing is left to wait for (also where the kind has no readiness)."""
        return self.state in (READY, NOT_GATED)


@dataclass(frozen=True)
class _Case:
    obj: Object
    view: Snapshot
    expected: Expected
    rules: Rules
    ref: ObjectRef = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", ref_of(self.obj))

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.obj.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        return self.obj.get("status") or {}

    def count(self, name: str) -> int:
        return int(self.status.get(name) or 0)

    def ready(self, detail: str = "ready", *warnings: str) -> Verdict:
        return Verdict(READY, "", detail, self.ref, warnings)

    def progressing(self, reason: str, detail: str) -> Verdict:
        return Verdict(PROGRESSING, reason, detail, self.ref)

    def failed(self, reason: str, detail: str) -> Verdict:
        return Verdict(FAILED, reason, detail, self.ref)


def judge(
    obj: Object,
    view: Snapshot,
    *,
    expected: Expected | None = None,
    rules: Rules = DEFAULT_RULES,
) -> Verdict:
    """Judge one object by everything else that was seen. ``expected`` as in ``image_proof``."""
    case = _Case(obj, view, expected or {}, rules)
    if terminating(obj):
        return case.progressing("terminating", "being deleted")
    rule = _RULES.get((case.ref.group, case.ref.kind))
    if rule:
        return rule(case)
    if is_gated(case.ref):
        return _custom(case)
    return Verdict(NOT_GATED, "", "exists", case.ref)


def missing(ref: ObjectRef) -> Verdict:
    """The verdict on an object that is not there."""
    return Verdict(PROGRESSING, "missing", "not found", ref)


def is_gated(ref: ObjectRef) -> bool:
    """Whether objects of this kind have a readiness that can be judged at all."""
    builtin = not ref.group or "." not in ref.group or ref.group.endswith(".k8s.io")
    return (ref.group, ref.kind) in _RULES or not builtin


def wanted(obj: Object) -> int:
    """How many pods a workload asks for."""
    if obj["kind"] == "DaemonSet":
        return int((obj.get("status") or {}).get("desiredNumberScheduled") or 0)
    replicas = (obj.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def current_pods(obj: Object, view: Snapshot) -> list[Object]:
    """The pods of a workload's current revision: no terminating, no finished, no older ones.

    (Of a Job: its pods, finished ones too. Of a Pod: itself.)
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
        pods = _with_hash(obj, view, str((obj.get("status") or {}).get("updateRevision") or ""))
    elif kind == "DaemonSet":
        pods = _daemon_pods(obj, view)
    else:
        pods = view.owned_by(uid_of(obj), "Pod")
        if kind == "Job":
            return [pod for pod in pods if not terminating(pod)]
    return [pod for pod in pods if not terminating(pod) and not pod_finished(pod)]


def _current_replicasets(obj: Object, view: Snapshot) -> list[Object]:
    name = "deployment.kubernetes.io/revision"
    revision = (obj["metadata"].get("annotations") or {}).get(name)
    return [
        replicaset
        for replicaset in view.owned_by(uid_of(obj), "ReplicaSet")
        if revision and (replicaset["metadata"].get("annotations") or {}).get(name) == revision
    ]


def _with_hash(obj: Object, view: Snapshot, revision: str) -> list[Object]:
    return [
        pod
        for pod in view.owned_by(uid_of(obj), "Pod")
        if revision and _label(pod, "controller-revision-hash") == revision
    ]


def _daemon_pods(obj: Object, view: Snapshot) -> list[Object]:
    # A DaemonSet's status does not name its revision; its newest ControllerRevision does.
    history = view.owned_by(uid_of(obj), "ControllerRevision")
    if history:
        newest = max(history, key=lambda entry: int(entry.get("revision") or 0))
        return _with_hash(obj, view, _label(newest, "controller-revision-hash"))
    annotations = obj["metadata"].get("annotations") or {}
    generation = annotations.get("deprecated.daemonset.template.generation")
    pods = view.owned_by(uid_of(obj), "Pod")
    return [
        pod
        for pod in pods
        if generation is None or _label(pod, "pod-template-generation") == generation
    ]


def _label(obj: Object, name: str) -> str:
    return str((obj["metadata"].get("labels") or {}).get(name) or "")


# -- workloads --------------------------------------------------------------------------------


def _observed(case: _Case) -> bool:
    """Whether the controller has seen this generation (some write it as text)."""
    try:
        seen = int(case.status.get("observedGeneration") or 0)
    except (TypeError, ValueError):
        return False
    return seen > 0 and seen >= int(case.obj["metadata"].get("generation") or 1)


def _workload(
    case: _Case,
    problem: tuple[str, str] | None,
    need: int,
    want: int,
    extra: tuple[Suspect, ...] = (),
) -> Verdict:
    """The common end: the counts' problem if any, then the pods, their images, their probes."""
    if problem is not None and problem[0] == "not_observed":
        # Which revision is the current one is not known yet: no pod satisfies, none is to blame.
        return case.progressing(*problem)
    pods = current_pods(case.obj, case.view)
    if case.ref.kind == "Deployment" and not case.count("updatedReplicas"):
        pods = []  # those of the revision before: its controller has not moved the name yet
    ready = sum(map(pod_ready, pods))
    shown = max(ready, case.count("readyReplicas")) if need < want else ready
    detail = f"ready {min(shown, want)}/{want}"
    if problem is None and ready < need:
        problem = ("not_ready", "the pods of this revision are not all ready")
    template = (case.spec.get("template") or {}).get("spec") or {}
    findings = [
        *template_findings(template, case.expected, case.ref.name),
        *image_proof(pods, case.expected),
    ]
    suspects = [*extra, *_image_suspects(case, findings)]
    if findings and problem is None:
        wrong = [finding for finding in findings if finding.kind == "different"]
        name = "wrong_image" if wrong else "image_unknown"
        problem = (name, str((wrong or findings)[0]))
    if problem is not None:
        for pod in pods:
            suspects.extend(pod_suspects(pod, case.view.baseline, case.rules))
        return _with_suspects(case.progressing(problem[0], _join(detail, problem[1])), suspects)
    warnings = []
    if want == 0:
        warnings.append(f"{case.ref.kind} {case.ref.name} wants no pods")
    elif template and not has_any_probe(template):
        warnings.append(f"{case.ref.kind} {case.ref.name}: its pods have no probe")
    return case.ready(detail, *warnings)


def _with_suspects(verdict: Verdict, suspects: list[Suspect]) -> Verdict:
    """The verdict with its suspects; failed where one of them needs no time."""
    for suspect in suspects:
        if suspect.hold <= 0:
            return replace(
                verdict,
                state=FAILED,
                reason=suspect.reason,
                detail=suspect.detail,
                suspects=tuple(suspects),
            )
    return replace(verdict, suspects=tuple(suspects))


def _image_suspects(case: _Case, findings: list[ImageFinding]) -> list[Suspect]:
    return [
        Suspect(
            ("wrong_image", finding.pod, finding.container),
            "wrong_image",
            str(finding),
            case.rules.hold,
            case.ref,
        )
        for finding in findings
        if finding.kind == "different"
    ]


def _join(detail: str, text: str) -> str:
    return f"{detail}: {text}" if text else detail


def _deployment(case: _Case) -> Verdict:
    want = wanted(case.obj)
    if case.spec.get("paused"):
        return case.failed("paused", "the Deployment is paused")
    if not _observed(case):
        return _workload(case, ("not_observed", "not yet seen by its controller"), want, want)
    progress = condition(case.obj, "Progressing")
    extra: list[Suspect] = []
    if progress.get("reason") == "ProgressDeadlineExceeded":
        text = str(progress.get("message") or "progress deadline exceeded")
        if not _stale(progress, case.view):
            return case.failed("progress_deadline", text)
        key = ("progress_deadline", uid_of(case.obj), "")
        extra.append(Suspect(key, "progress_deadline", text, case.rules.hold, case.ref))
    failure = condition(case.obj, "ReplicaFailure")
    if failure.get("status") == "True":
        text = str(failure.get("message") or failure.get("reason") or "pods cannot be created")
        key = ("replica_failure", uid_of(case.obj), "")
        hold = case.rules.replica_failure
        extra.append(Suspect(key, "replica_failure", text, hold, case.ref))
    return _workload(case, _deployment_problem(case, want, progress), want, want, tuple(extra))


def _stale(progress: Mapping[str, Any], view: Snapshot) -> bool:
    """Whether the condition was written before the gate began.

    Back from a broken revision, the first status of the good one still carries it.
    """
    written = timestamp(progress.get("lastUpdateTime"))
    return view.since is not None and written is not None and written < view.since


def _deployment_problem(
    case: _Case, want: int, progress: Mapping[str, Any]
) -> tuple[str, str] | None:
    updated = case.count("updatedReplicas")
    if updated != want:
        return "not_updated", f"{updated} of {want} pods are of this revision"
    if case.count("replicas") != updated:
        return "old_pods", f"{case.count('replicas') - updated} pods of older revisions remain"
    if case.count("readyReplicas") < want:
        return "not_ready", ""
    if case.count("availableReplicas") < want:
        return "not_available", f"{case.count('availableReplicas')} of {want} available"
    if condition(case.obj, "Available").get("status") != "True":
        return "not_available", "not available"
    deadline = case.spec.get("progressDeadlineSeconds")
    limited = deadline is not None and deadline != _NO_DEADLINE
    if limited and progress.get("reason") != "NewReplicaSetAvailable":
        return "not_progressed", f"progress: {progress.get('reason') or 'none'}"
    if condition(case.obj, "ReplicaFailure").get("status") == "True":
        return "replica_failure", ""
    return None


def _statefulset(case: _Case) -> Verdict:
    want = wanted(case.obj)
    strategy = case.spec.get("updateStrategy") or {}
    on_delete = strategy.get("type") == "OnDelete"
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    need = want if on_delete else max(0, want - partition)
    if not _observed(case):
        problem: tuple[str, str] | None = ("not_observed", "not yet seen by its controller")
    else:
        problem = _statefulset_problem(case, want, need, on_delete, partition)
    return _workload(case, problem, need, want)


def _statefulset_problem(
    case: _Case, want: int, need: int, on_delete: bool, partition: int
) -> tuple[str, str] | None:
    ready, replicas = case.count("readyReplicas"), case.count("replicas")
    revision = case.status.get("updateRevision")
    if on_delete:
        pods = [p for p in case.view.owned_by(uid_of(case.obj), "Pod") if not terminating(p)]
        old = [p for p in pods if _label(p, "controller-revision-hash") != revision]
        if old:
            return "on_delete", f"{len(old)} pods wait to be deleted by hand (OnDelete)"
    elif case.count("updatedReplicas") < need:
        return "not_updated", f"{case.count('updatedReplicas')} of {need} pods are of this revision"
    if replicas != want:
        return "wrong_count", f"{replicas} pods instead of {want}"
    if ready != want:
        return "not_ready", ""
    available = case.status.get("availableReplicas")
    if case.spec.get("minReadySeconds") and available is not None and int(available) < want:
        return "not_available", f"{available} of {want} available"
    if not on_delete and partition == 0 and case.status.get("currentRevision") != revision:
        return "not_updated", "the new revision is not the current one yet"
    return None


def _daemonset(case: _Case) -> Verdict:
    want = wanted(case.obj)
    updated = case.count("updatedNumberScheduled")
    problem: tuple[str, str] | None = None
    if not _observed(case) or case.status.get("desiredNumberScheduled") is None:
        problem = ("not_observed", "not yet seen by its controller")
    elif updated != want:
        problem = ("not_updated", f"{updated} of {want} pods are of this revision")
    elif case.count("numberReady") < want:
        problem = ("not_ready", "")
    elif case.count("numberAvailable") < want:
        problem = ("not_available", f"{case.count('numberAvailable')} of {want} available")
    return _workload(case, problem, want, want)


def _replicaset(case: _Case) -> Verdict:
    want = wanted(case.obj)
    problem: tuple[str, str] | None = None
    if not _observed(case):
        problem = ("not_observed", "not yet seen by its controller")
    elif case.count("replicas") != want:
        problem = ("wrong_count", f"{case.count('replicas')} pods instead of {want}")
    elif case.count("availableReplicas") < want:
        problem = ("not_ready", "")
    return _workload(case, problem, want, want)


def _job(case: _Case) -> Verdict:
    if condition(case.obj, "Complete").get("status") == "True":
        return case.ready("complete")
    failure = condition(case.obj, "Failed")
    if failure.get("status") == "True":
        text = failure.get("message") or failure.get("reason") or "the Job failed"
        return case.failed("job_failed", str(text))
    if case.spec.get("suspend"):
        return case.progressing("suspended", "the Job is suspended")
    pods = current_pods(case.obj, case.view)
    suspects = [
        suspect
        for pod in pods
        if not pod_finished(pod)
        for suspect in pod_suspects(pod, case.view.baseline, case.rules, crashes=False)
    ]
    done = f"{case.count('succeeded')}/{case.spec.get('completions') or 1} complete"
    return _with_suspects(case.progressing("job_running", done), suspects)


def _pod(case: _Case) -> Verdict:
    phase = case.status.get("phase")
    endless = case.spec.get("restartPolicy", "Always") == "Always"
    if phase == "Failed":
        text = case.status.get("message") or case.status.get("reason") or "the pod failed"
        return case.failed("pod_failed", str(text))
    findings = image_proof([case.obj], case.expected)
    suspects = _image_suspects(case, findings)
    if phase == "Succeeded":
        if endless:
            return case.progressing("pod_ended", "ended, though it should run for ever")
        return case.ready("succeeded")
    if not pod_ready(case.obj):
        suspects.extend(pod_suspects(case.obj, case.view.baseline, case.rules))
        return _with_suspects(case.progressing("not_ready", "ready 0/1"), suspects)
    if findings:
        wrong = any(finding.kind == "different" for finding in findings)
        reason = "wrong_image" if wrong else "image_unknown"
        return _with_suspects(case.progressing(reason, str(findings[0])), suspects)
    bare = () if has_any_probe(case.spec) else (f"Pod {case.ref.name} has no probe",)
    return case.ready("ready 1/1", *bare)


# -- the rest ---------------------------------------------------------------------------------


def _cronjob(case: _Case) -> Verdict:
    return case.ready("exists")


def _claim(case: _Case) -> Verdict:
    phase = case.status.get("phase")
    if phase == "Bound":
        return case.ready("bound")
    if phase == "Lost":
        return case.failed("claim_lost", "its volume is gone")
    storage = _storage_class(case)
    if storage and storage.get("volumeBindingMode") == "WaitForFirstConsumer":
        return Verdict(NOT_GATED, "", "bound when a pod uses it", case.ref)
    return case.progressing("not_bound", str(phase or "no phase"))


def _storage_class(case: _Case) -> Object | None:
    classes = case.view.of_kind("storage.k8s.io", "StorageClass", "")
    name = case.spec.get("storageClassName")
    if name is not None:
        return next((entry for entry in classes if entry["metadata"]["name"] == name), None)
    mark = "storageclass.kubernetes.io/is-default-class"
    return next(
        (e for e in classes if (e["metadata"].get("annotations") or {}).get(mark) == "true"), None
    )


def _definition(case: _Case) -> Verdict:
    names = condition(case.obj, "NamesAccepted")
    if names.get("status") == "False":
        return case.failed("names_not_accepted", str(names.get("message") or "name conflict"))
    if condition(case.obj, "Established").get("status") == "True":
        return case.ready("established")
    return case.progressing("not_established", "not established")


def _service(case: _Case) -> Verdict:
    kind = case.spec.get("type") or "ClusterIP"
    if kind == "ExternalName":
        return case.ready("external name")
    if not case.spec.get("clusterIP"):
        return case.progressing("no_cluster_ip", "no cluster IP yet")
    if kind == "LoadBalancer" and case.rules.load_balancer:
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
    behind = [
        workload
        for kind in ("Deployment", "StatefulSet", "DaemonSet")
        for workload in case.view.of_kind("apps", kind, case.ref.namespace)
        if selects(selector, _template_labels(workload))
    ]
    if behind and not any(map(wanted, behind)):
        return case.ready("0 endpoints", f"Service {case.ref.name}: what it selects wants no pods")
    return case.progressing("no_endpoints", "no ready endpoint")


def _template_labels(workload: Object) -> Mapping[str, str]:
    template = (workload.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def _custom(case: _Case) -> Verdict:
    ready = condition(case.obj, "Ready")
    seen = ready.get("observedGeneration", case.status.get("observedGeneration"))
    stalled = condition(case.obj, "Stalled")
    if stalled.get("status") == "True":
        return case.failed("stalled", str(stalled.get("message") or "stalled"))
    try:
        behind = seen is not None and int(seen) < int(case.obj["metadata"].get("generation") or 0)
    except (TypeError, ValueError):
        behind = True
    if behind:
        return case.progressing("not_observed", "not yet seen by its controller")
    reconciling = condition(case.obj, "Reconciling")
    if reconciling.get("status") == "True":
        return case.progressing("reconciling", str(reconciling.get("message") or "reconciling"))
    if not ready:
        return Verdict(NOT_GATED, "", "has no Ready condition", case.ref)
    if ready.get("status") == "True":
        return case.ready("ready")
    text = ready.get("message") or ready.get("reason") or "not ready"
    return case.progressing("not_ready", str(text))


_RULES: dict[tuple[str, str], Callable[[_Case], Verdict]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _statefulset,
    ("apps", "DaemonSet"): _daemonset,
    ("apps", "ReplicaSet"): _replicaset,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cronjob,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("", "Service"): _service,
}
