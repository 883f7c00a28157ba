"""The workloads: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job and bare Pod."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..kube.fields import as_int, map_at
from ..kube.objects import Object, condition, timestamp, uid_of
from .image_proof import ImageFinding, image_proof, template_findings
from .pod_rule import Suspect, has_any_probe, pod_finished, pod_ready, pod_suspects, terminating
from .revisions import all_pods, current_pods, desired_pods, generation_observed, label_of
from .verdict import Case, Problem, Verdict, with_suspects

_NO_DEADLINE = 2**31 - 1
_QUOTA = "exceeded quota"
# A webhook whose pods have not started: what the API server says by its Endpoints, by its address.
_WEBHOOK_STARTS = re.compile(
    r"calling webhook.*(?:no endpoints available for service|connection refused)"
)


def deployment(case: Case) -> Verdict:
    """All replicas updated, ready and available; failed if its controller gave up."""
    want = desired_pods(case.obj)
    if case.spec.get("paused"):
        return case.failed("paused", "the Deployment is paused")
    if not generation_observed(case.obj):
        return _workload(case, ("not_observed", "not yet observed by its controller"), want, want)
    progress = condition(case.obj, "Progressing")
    extra: list[Suspect] = []
    exceeded = progress.get("reason") == "ProgressDeadlineExceeded"
    if exceeded and not _is_of_an_earlier_run(progress, case):
        text = str(progress.get("message") or "progress deadline exceeded")
        return case.failed("progress_deadline", text)
    failure = condition(case.obj, "ReplicaFailure")
    if failure.get("status") == "True":
        text = str(failure.get("message") or failure.get("reason") or "pods cannot be created")
        extra.append(_replica_failure(case, text))
    return _workload(case, _deployment_problem(case, want, progress), want, want, tuple(extra))


def _replica_failure(case: Case, text: str) -> Suspect:
    """Pods that cannot be created; its time begins again with each new pod."""
    pods = all_pods(case.obj, case.view)
    leaving = any(terminating(pod) for pod in case.view.pods(case.ref.namespace))
    hold = case.thresholds.replica_failure
    if (leaving and _QUOTA in text) or _WEBHOOK_STARTS.search(text):
        hold = case.thresholds.others_turn
    newest = max(
        (str(map_at(pod, "metadata").get("creationTimestamp")) for pod in pods), default=""
    )
    key = ("replica_failure", uid_of(case.obj), newest)
    return Suspect(key, "replica_failure", text, hold, case.ref)


def _is_of_an_earlier_run(progress: Mapping[str, Any], case: Case) -> bool:
    """Whether the Deployment's deadline passed, or began to run, before what this run changed.

    The condition stays when only the deadline is raised, and in the first status after going
    back. A change outside of the pods' template, which mends the pods, does not restart the clock.
    """
    updated, view = timestamp(progress.get("lastUpdateTime")), case.view
    if updated is None or view.gate_started is None:
        return False
    if view.run_started is None:
        return updated < view.gate_started
    began = updated - as_int(case.spec.get("progressDeadlineSeconds"))
    return updated < view.gate_started or began + 1 < view.run_started


def _deployment_problem(case: Case, want: int, progress: Mapping[str, Any]) -> Problem | None:
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


def statefulset(case: Case) -> Verdict:
    """The new revision's pods ready, as far as its partition or OnDelete let it roll out."""
    want = desired_pods(case.obj)
    strategy = map_at(case.spec, "updateStrategy")
    on_delete = strategy.get("type") == "OnDelete"
    partition = as_int(map_at(strategy, "rollingUpdate").get("partition"))
    need = want if on_delete else max(0, want - partition)
    if not generation_observed(case.obj):
        problem: Problem | None = ("not_observed", "not yet observed by its controller")
    else:
        problem = _statefulset_problem(case, want, need, on_delete, partition)
    return _workload(case, problem, need, want)


def _statefulset_problem(
    case: Case, want: int, need: int, on_delete: bool, partition: int
) -> Problem | None:
    ready, replicas = case.count("readyReplicas"), case.count("replicas")
    revision = case.status.get("updateRevision")
    if on_delete:
        pods = [p for p in case.view.owned_by(uid_of(case.obj), "Pod") if not terminating(p)]
        old = [p for p in pods if label_of(p, "controller-revision-hash") != revision]
        if old:
            return "on_delete", f"{len(old)} pods must be deleted by hand (OnDelete)"
    elif case.count("updatedReplicas") < need:
        return "not_updated", f"{case.count('updatedReplicas')} of {need} pods are of this revision"
    if replicas != want:
        return "wrong_count", f"{replicas} pods instead of {want}"
    if ready != want:
        return "not_ready", ""
    available = case.status.get("availableReplicas")
    if case.spec.get("minReadySeconds") and available is not None and as_int(available) < want:
        return "not_available", f"{available} of {want} available"
    if not on_delete and partition == 0 and case.status.get("currentRevision") != revision:
        return "not_updated", "the new revision is not the current one yet"
    return None


def daemonset(case: Case) -> Verdict:
    """A ready pod of the current revision on every node that should run one."""
    want = desired_pods(case.obj)
    updated = case.count("updatedNumberScheduled")
    problem: Problem | None = None
    if not generation_observed(case.obj) or case.status.get("desiredNumberScheduled") is None:
        problem = ("not_observed", "not yet observed by its controller")
    elif updated < want and map_at(case.spec, "updateStrategy").get("type") == "OnDelete":
        problem = ("on_delete", f"{want - updated} pods must be deleted by hand (OnDelete)")
    elif updated != want:
        problem = ("not_updated", f"{updated} of {want} pods are of this revision")
    elif case.count("numberReady") < want:
        problem = ("not_ready", "")
    elif case.count("numberAvailable") < want:
        problem = ("not_available", f"{case.count('numberAvailable')} of {want} available")
    return _workload(case, problem, want, want)


def replicaset(case: Case) -> Verdict:
    """As many available pods as it wants."""
    want = desired_pods(case.obj)
    problem: Problem | None = None
    if not generation_observed(case.obj):
        problem = ("not_observed", "not yet observed by its controller")
    elif case.count("replicas") != want:
        problem = ("wrong_count", f"{case.count('replicas')} pods instead of {want}")
    elif case.count("availableReplicas") < want:
        problem = ("not_ready", "")
    return _workload(case, problem, want, want)


def job(case: Case) -> Verdict:
    """Complete. A Job limits its retries itself."""
    if condition(case.obj, "Complete").get("status") == "True":
        return case.ready("complete")
    failure = job_failure(case.obj)
    if failure:
        return case.failed("job_failed", failure)
    if case.spec.get("suspend"):
        return case.progressing("suspended", "the Job is suspended")
    pods = current_pods(case.obj, case.view)
    suspects = [
        suspect
        for pod in pods
        if not pod_finished(pod)
        for suspect in pod_suspects(pod, case.view, case.thresholds, crashes=False)
    ]
    done = f"{case.count('succeeded')}/{case.spec.get('completions') or 1} complete"
    return with_suspects(case.progressing("job_running", done), suspects)


def job_failure(obj: Object) -> str:
    """Why a Job has failed; empty if it has not."""
    failure = condition(obj, "Failed")
    if failure.get("status") != "True":
        return ""
    return str(failure.get("message") or failure.get("reason") or "the Job failed")


def pod(case: Case) -> Verdict:
    """Running and ready, or succeeded if it was meant to end."""
    phase = case.status.get("phase")
    runs_forever = case.spec.get("restartPolicy", "Always") == "Always"
    if phase == "Failed":
        text = case.status.get("message") or case.status.get("reason") or "the pod failed"
        return case.failed("pod_failed", str(text))
    findings = image_proof([case.obj], case.expected)
    suspects = _image_suspects(case, findings)
    if phase == "Succeeded":
        if runs_forever:
            return case.progressing("pod_ended", "it has ended, but should keep running")
        return case.ready("succeeded")
    if not pod_ready(case.obj):
        suspects.extend(pod_suspects(case.obj, case.view, case.thresholds))
        return with_suspects(case.progressing("not_ready", "ready 0/1"), suspects)
    if findings:
        wrong = any(finding.kind == "different" for finding in findings)
        reason = "wrong_image" if wrong else "image_unknown"
        return with_suspects(case.progressing(reason, str(findings[0])), suspects)
    warnings = () if has_any_probe(case.spec) else (f"Pod {case.ref.name} has no probe",)
    return case.ready("ready 1/1", *warnings)


# -- shared by the workloads above


def _workload(
    case: Case,
    problem: Problem | None,
    need: int,
    want: int,
    extra: tuple[Suspect, ...] = (),
) -> Verdict:
    """Judge a workload by the problem its counts show, its pods, their images and their probes.

    ``want`` is how many pods it wants, ``need`` how many of those must be of this revision.
    """
    if problem is not None and problem[0] == "not_observed":
        # The current revision is not known yet, so no pod counts, for or against it.
        return case.progressing(problem[0], f"ready 0/{want or '?'}: {problem[1]}")
    pods = current_pods(case.obj, case.view)
    if case.ref.kind == "Deployment" and not case.count("updatedReplicas"):
        pods = []  # of the previous revision: the controller has not updated the annotation yet
    ready = sum(map(pod_ready, pods))
    shown = max(ready, case.count("readyReplicas")) if need < want else ready
    detail = f"ready {min(shown, want)}/{want}"
    if problem is None and ready < need:
        problem = ("not_ready", "the pods of this revision are not all ready")
    template = map_at(case.spec, "template", "spec")
    findings = [
        *template_findings(template, case.expected, case.ref.name),
        *image_proof(pods, case.expected),
    ]
    suspects = [*extra, *_image_suspects(case, findings)]
    if findings and problem is None:
        wrong = [finding for finding in findings if finding.kind == "different"]
        problem = ("wrong_image" if wrong else "image_unknown", str((wrong or findings)[0]))
    if problem is not None:
        for pod in pods:
            suspects.extend(pod_suspects(pod, case.view, case.thresholds))
        return with_suspects(case.progressing(problem[0], _join(detail, problem[1])), suspects)
    warnings = []
    if want == 0:
        warnings.append(f"{case.ref.kind} {case.ref.name} wants no pods")
    elif template and not has_any_probe(template):
        warnings.append(f"{case.ref.kind} {case.ref.name}: its pods have no probe")
    return case.ready(detail, *warnings)


def _image_suspects(case: Case, findings: list[ImageFinding]) -> list[Suspect]:
    return [
        Suspect(
            ("wrong_image", finding.pod, finding.container),
            "wrong_image",
            str(finding),
            case.thresholds.hold,
            case.ref,
        )
        for finding in findings
        if finding.kind == "different"
    ]


def _join(detail: str, text: str) -> str:
    return f"{detail}: {text}" if text else detail
