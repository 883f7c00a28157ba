"""Objects may hold any JSON: the gate's predicates, its evidence and its diagnosis never raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localloop.config.model import PodScope
from localloop.kube.collections import Collection
from localloop.kube.objects import Snapshot, condition, object_version, ref_of, timestamp
from localloop.readiness.diagnosis import diagnose
from localloop.readiness.evidence import collect_evidence, missing_node_file, render_evidence
from localloop.readiness.image_proof import image_proof, template_findings
from localloop.readiness.judge import judge
from localloop.readiness.look import (
    last_pod_change,
    seconds_until_stable,
    selected_workloads,
    stability_window,
)
from localloop.readiness.pod_rule import (
    Thresholds,
    all_have_readiness_probes,
    has_any_probe,
    pod_suspects,
)
from localloop.readiness.revisions import all_pods, current_pods, desired_pods
from localloop.readiness.store import Store
from localloop.readiness.tracking import Tracker
from localloop.readiness.unstick import Unsticker
from localloop.readiness.verdict import FAILED, NOT_GATED, PROGRESSING, READY, Verdict

Object = dict[str, Any]
IMAGE = "127.0.0.1:5000/demo/web"
EXPECTED = {IMAGE: frozenset(["sha256:" + "a" * 64])}

# Every name that a rule reads, so that odd values meet the rules and not only the lookups.
FIELDS = """\
    spec status metadata template conditions type reason message containers initContainers name
    image containerStatuses initContainerStatuses state lastState waiting running terminated
    exitCode restartCount imageID phase replicas readyReplicas updatedReplicas availableReplicas
    observedGeneration generation paused progressDeadlineSeconds updateStrategy rollingUpdate
    partition updateRevision currentRevision minReadySeconds desiredNumberScheduled numberReady
    numberAvailable updatedNumberScheduled completions succeeded suspend restartPolicy labels
    annotations ownerReferences controller uid deletionTimestamp creationTimestamp revision
    clusterIP selector loadBalancer ingress subsets addresses storageClassName volumeBindingMode
    readinessProbe livenessProbe startupProbe httpGet port path ports containerPort startedAt
    lastTransitionTime lastUpdateTime involvedObject kind count series lastTimestamp eventTime"""
WORDS = """\
    True False Unknown Ready Stalled Reconciling Available Progressing ReplicaFailure Complete
    Failed Established NamesAccepted PodScheduled Unschedulable CrashLoopBackOff ErrImagePull
    ProgressDeadlineExceeded NewReplicaSetAvailable Running Succeeded Pending Bound OnDelete
    LoadBalancer ExternalName Always web owner 1 07 2026-01-01T00:00:00Z 0001-01-01T00:00:00"""
leaves = (
    st.none() | st.booleans() | st.integers() | st.just(10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS.split()) | st.text(max_size=5) | st.just(f"{IMAGE}:d-1")
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS.split()) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)
KINDS = [
    *(("apps/v1", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
    *(("batch/v1", "Job"), ("batch/v1", "CronJob"), ("v1", "Pod"), ("v1", "Service")),
    *(("v1", "PersistentVolumeClaim"), ("v1", "Endpoints"), ("apps/v1", "ControllerRevision")),
    *(("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("v1", "Event")),
    *(("storage.k8s.io/v1", "StorageClass"), ("v1", "ConfigMap")),
    *(("example.org/v1", kind) for kind in ("Widget", "Deployment", "Job", "Pod", "Service")),
]


@st.composite
def objects(draw: st.DrawFn) -> Object:
    """An object of which only the name and the uid can be relied upon."""
    api_version, kind = draw(st.sampled_from(KINDS))
    extra = draw(st.dictionaries(st.sampled_from(FIELDS.split()), values, max_size=4))
    uid = draw(st.sampled_from("abc"))
    metadata = {**extra, "name": f"web-{uid}", "namespace": "app", "uid": uid}
    # Half of the values have the right shape above, so that what is below is reached.
    owner = {"controller": True, "uid": draw(st.sampled_from("abc"))}
    if draw(st.booleans()):
        metadata["ownerReferences"] = [owner]
    wrapped = st.fixed_dictionaries(
        {},
        optional={
            "conditions": st.lists(st.fixed_dictionaries({"type": leaves, "status": values})),
            "containerStatuses": st.lists(values),
            "containers": st.lists(values),
            "template": st.fixed_dictionaries({"spec": values, "metadata": values}),
        },
    )
    body = draw(st.dictionaries(st.sampled_from(FIELDS.split()), values, max_size=4))
    shaped = {key: draw(values | wrapped) for key in ("spec", "status")}
    return {**body, **shaped, "apiVersion": api_version, "kind": kind, "metadata": metadata}


many = settings(max_examples=200, deadline=None)


@many
@given(st.lists(objects(), min_size=1, max_size=6))
def test_law_every_predicate_gives_an_answer(found: list[Object]) -> None:
    view = Snapshot(tuple(found), now=1e9, gate_started=1e9, initial_restarts={("a", "web"): 1})
    for obj in found:
        verdict = judge(obj, view, expected=EXPECTED, thresholds=Thresholds(load_balancers=True))
        assert verdict.state in (READY, PROGRESSING, FAILED, NOT_GATED)
        assert isinstance(verdict.detail, str) and isinstance(verdict.reason, str)
        assert stability_window(obj, None) >= 0
        seconds_until_stable(obj, view, 1.0)
        last_pod_change(obj, view)
        desired_pods(obj)
        assert all_pods(obj, view) is not None and current_pods(obj, view) is not None
        pod_suspects(obj, view)
        image_proof([obj], EXPECTED)
        for pod_spec in (obj.get("spec"), obj.get("template")):
            if isinstance(pod_spec, dict):
                has_any_probe(pod_spec)
                all_have_readiness_probes(pod_spec)
                template_findings(pod_spec, EXPECTED, "web")
        condition(obj, "Ready")
        object_version(obj)
    selected_workloads(PodScope(namespace="app", selector="app=web"), view)


@many
@given(st.lists(objects(), min_size=1, max_size=4))
def test_law_the_gate_can_keep_any_object(found: list[Object]) -> None:
    collections = {
        (obj["apiVersion"], obj["kind"]): Collection(obj["apiVersion"], obj["kind"], "app")
        for obj in found
    }
    store = Store(tuple(collections.values()), lambda: 1.0, run_age=0.0)
    for collection in collections.values():
        store.replace(collection, [], 1e9)
    tracker = Tracker({}, {}, frozenset(), frozenset(), store.ended, Thresholds(), None)
    warned: list[str] = []
    unsticker = Unsticker(None, Thresholds(), warned.append)  # type: ignore[arg-type]
    unsticker._delete = lambda _pod, _why: None  # type: ignore[method-assign]
    for obj in found:
        store.apply(collections[obj["apiVersion"], obj["kind"]], "MODIFIED", obj)
        store.apply_read(ref_of(obj), obj)
        _, view, _ = store.state()
        assert view is not None
        entry = tracker.judge(ref_of(obj), view)
        entry.touched = True
        tracker.seconds_left(entry, view, 2.0)
        unsticker.delete_blocking_pods(entry, view)
        entry.as_result(0.0)
    tracker.pending()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(objects(), min_size=1, max_size=4), values, st.text(max_size=20))
def test_law_evidence_and_diagnosis_of_any_object(
    found: list[Object], extra: Any, detail: str
) -> None:
    kube = _Kube([obj for obj in found if obj["kind"] in ("Pod", "Event")])
    evidence = collect_evidence(kube, [ref_of(obj) for obj in found], Snapshot(tuple(found)))  # type: ignore[arg-type]
    assert len(evidence) == len(found)
    render_evidence(evidence)
    missing_node_file(evidence)
    for reason in ("crash_loop:web", "timeout:ready 0/1", detail):
        shown = diagnose(reason, detail, evidence)
        assert isinstance(str(shown), str)
        assert shown.as_dict()


class _Kube:
    """Lists these pods and events; every log is one line."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    def list(self, _version: str, kind: str, *_: Any, **__: Any) -> tuple[list[Object], str]:
        return [obj for obj in self.objects if obj["kind"] == kind], "1"

    def path_of(self, ref: Any) -> str:
        return f"/{ref}"

    def request(self, *_: Any, **__: Any) -> Any:
        return type("Response", (), {"body": b"a line\n\xff"})


@given(values)
def test_law_any_value_is_a_time_or_none(value: Any) -> None:
    found = timestamp(value)
    assert found is None or isinstance(found, float)


# -- custom resources -----------------------------------------------------------------------------


def widget(**fields: Any) -> Verdict:
    obj = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, **fields}
    return judge(obj, Snapshot((obj,)))


UNUSUAL = [
    ("Running", "its status is not an object"),
    (["Running"], "its status is not an object"),
    (1, "its status is not an object"),
    ({"conditions": {"Ready": "True"}}, "its conditions are not a list of objects"),
    ({"conditions": "Ready"}, "its conditions are not a list of objects"),
    ({"conditions": ["Ready"]}, "its conditions are not a list of objects"),
    ({"conditions": [{"type": "Ready", "status": True}]}, "its condition Ready has a status"),
    ({"conditions": [{"type": "Ready", "status": "yes"}]}, "its condition Ready has a status"),
    ({"conditions": [{"type": "Ready"}]}, "its condition Ready has a status"),
    ({"conditions": [{"type": "Stalled", "status": 1}]}, "its condition Stalled has a status"),
    ({"observedGeneration": {"a": 1}}, "its observedGeneration is not a number"),
    ({"observedGeneration": "now"}, "its observedGeneration is not a number"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "why"), UNUSUAL)
def test_a_status_that_cannot_be_judged_is_not_gated_and_said(status: Any, why: str) -> None:
    verdict = widget(status=status)
    assert verdict.state == NOT_GATED
    assert verdict.ready
    assert verdict.detail.startswith(why)
    assert verdict.warnings == (f"Widget w is not gated: {verdict.detail}",)


@pytest.mark.parametrize("spec", [{"template": "Hello"}, "Hello", {"template": {"spec": 1}}, [1]])
def test_a_spec_may_be_anything(spec: Any) -> None:
    for kind in ("Widget", "Deployment", "Pod", "StatefulSet"):
        obj = {"apiVersion": "example.org/v1", "kind": kind, "metadata": {"name": "w"}}
        assert judge(obj | {"spec": spec}, Snapshot()).state == NOT_GATED
        assert stability_window(obj | {"spec": spec}, 5.0) == 0.0


def test_a_kind_of_another_group_is_no_workload() -> None:
    """Knative's Service, Volcano's Job: judged as the custom resources that they are."""
    conditions = {"conditions": [{"type": "Ready", "status": "True"}]}
    for kind in ("Service", "Job", "Deployment", "Pod"):
        obj = {"apiVersion": "example.org/v1", "kind": kind, "metadata": {"name": "w"}}
        assert judge(obj | {"status": conditions}, Snapshot()).state == READY
