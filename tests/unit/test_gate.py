"""The gate against the fake API: real client, real streams, virtual time."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_api import FakeApi

from localloop.config.model import HttpCheck, PodScope
from localloop.kube.collections import Collection
from localloop.kube.objects import ObjectRef, Snapshot, ref_of, uid_of
from localloop.readiness.diagnosis import diagnose
from localloop.readiness.evidence import collect_evidence, render_evidence, sanitize
from localloop.readiness.http_check import http_failure
from localloop.readiness.look import collections_to_read, fetch_scope, observe_once
from localloop.readiness.result import GateResult
from localloop.readiness.store import Store
from localloop.readiness.wait import Clock, run_gate

Object = dict[str, Any]
EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REPOSITORY = "127.0.0.1:5000/app/web"
PODS = "/api/v1/namespaces/app/pods"
# Seconds without a change after which nothing is in flight; longer on a busy machine.
QUIET = 0.03 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class VirtualClock(Clock):
    """Time that jumps to the next due moment once nothing is in flight."""

    def __init__(self, api: FakeApi, watches: int) -> None:
        self.time = 1000.0
        self.api = api
        self.watches = watches
        self.script: list[tuple[float, Callable[[], None]]] = []
        api.now = lambda: EPOCH + self.time

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        self.script.append((1000.0 + seconds, action))
        self.script.sort(key=lambda entry: entry[0])

    def now(self) -> float:
        return self.time

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        if self.api.watching < self.watches:
            changed.wait(0.02)
            return
        if changed.wait(QUIET):
            return
        target = self.time + max(0.0, seconds)
        if self.script and self.script[0][0] <= target:
            moment, action = self.script.pop(0)
            self.time = max(self.time, moment)
            action()
            changed.wait(0.5)
        else:
            self.time = target


def deployment(**spec: Any) -> Object:
    probe = spec.pop("probe", True)
    container: Object = {"name": "web", "image": f"{REPOSITORY}:v1"}
    if probe:
        container["readinessProbe"] = {"tcpSocket": {"port": 80}}
    revision = {"deployment.kubernetes.io/revision": "1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "app",
            "uid": "d1",
            "generation": 1,
            "annotations": revision,
        },
        "spec": {
            "replicas": 1,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container]},
            },
            **spec,
        },
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
            "availableReplicas": 1,
            "conditions": [{"type": "Available", "status": "True"}],
        },
    }


def replicaset(uid: str = "r1", revision: str = "1") -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"web-{uid}",
            "namespace": "app",
            "uid": uid,
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"uid": "d1", "controller": True, "name": "web"}],
        },
    }


def pod(
    ready: bool = True,
    *,
    uid: str = "p1",
    owner: str = "r1",
    restarts: int = 0,
    waiting: str | None = None,
    digest: str = A,
    started: str = "2026-01-01T00:16:40Z",
) -> Object:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": started}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-{uid}",
            "namespace": "app",
            "uid": uid,
            "labels": {"app": "web"},
            "ownerReferences": [{"uid": owner, "controller": True, "name": f"web-{owner}"}],
        },
        "spec": {"containers": [{"name": "web", "image": f"{REPOSITORY}:v1"}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {
                    "type": "Ready",
                    "status": str(ready),
                    "lastTransitionTime": started,
                }
            ],
            "containerStatuses": [
                {
                    "name": "web",
                    "restartCount": restarts,
                    "imageID": f"{REPOSITORY}@{digest}",
                    "state": state,
                    "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
                }
            ],
        },
    }


def unready(obj: Object) -> Object:
    obj = copy.deepcopy(obj)
    obj["status"].update(readyReplicas=0, availableReplicas=0)
    obj["status"]["conditions"] = []
    return obj


WEB = ref_of(deployment())


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def gate(
    api: FakeApi,
    *,
    scope: tuple[ObjectRef, ...] = (WEB,),
    script: dict[float, Callable[[], None]] | None = None,
    also: tuple[PodScope, ...] = (),
    timeout: float = 90,
    touched: bool = True,
    watches: int | None = None,
    **options: Any,
) -> GateResult:
    count = len(collections_to_read(scope, also)) if watches is None else watches
    clock = VirtualClock(api, count)
    for moment, action in (script or {}).items():
        clock.at(moment, action)
    return run_gate(
        api.kube(10.0),
        scope,
        timeout=timeout,
        also=also,
        touched=set(scope) if touched else set(),
        clock=clock,
        backoff=0.01,
        **options,
    )


def test_ready_at_once(api: FakeApi) -> None:
    api.put(deployment(), replicaset(), pod())
    events: list[Object] = []
    result = gate(api, emit=events.append)
    assert (result.status, result.reason, result.warnings) == ("ready", "", ())
    assert result.duration_s == 0
    assert [event["event"] for event in events] == ["progress", "gate"]
    assert events[0]["text"] == "Deployment web: ready 1/1"
    assert result.as_dict()["objects"][0]["ref"] == "apps/v1/Deployment/app/web"


def test_becomes_ready_by_events(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False))
    script = {5.0: lambda: api.put(pod()), 6.0: lambda: api.put(deployment())}
    result = gate(api, script=script)
    assert result.ready
    assert (result.first_ready_s, result.duration_s) == (6.0, 6.0)
    assert not [m for m in api.methods("GET") if m.endswith("/events")]


def test_without_probes_it_must_stay_ready(api: FakeApi) -> None:
    api.put(deployment(probe=False), replicaset(), pod())
    result = gate(api)
    assert (result.first_ready_s, result.duration_s) == (0.0, 2.0)
    assert result.warnings == ("Deployment web: its pods have no probe",)


def test_a_restart_starts_the_window_again(api: FakeApi) -> None:
    api.put(deployment(), replicaset(), pod())
    result = gate(api, stable_for=10, script={7.0: lambda: api.put(pod(restarts=1))})
    assert (result.first_ready_s, result.duration_s) == (7.0, 17.0)


def test_untouched_passes_at_once(api: FakeApi) -> None:
    api.put(deployment(probe=False), replicaset(), pod(started="2026-01-01T00:16:30Z"))
    assert gate(api, touched=False).duration_s == 0


def test_untouched_but_young_waits(api: FakeApi) -> None:
    api.put(deployment(probe=False), replicaset(), pod(started="2026-01-01T00:16:39Z"))
    assert gate(api, touched=False, stable_for=5).duration_s == 4.0


@pytest.mark.parametrize(
    ("waiting", "reason", "duration"),
    [
        ("InvalidImageName", "invalid_image_name:web", 0),
        ("ErrImagePull", "image_pull_failed:web", 20),
        ("CreateContainerConfigError", "container_config_error:web", 20),
    ],
)
def test_causes_fail(api: FakeApi, waiting: str, reason: str, duration: float) -> None:
    api.put(unready(deployment()), replicaset(), pod(False, waiting=waiting))
    result = gate(api)
    assert (result.status, result.reason, result.subject) == ("failed", reason, "web")
    assert result.duration_s == duration
    assert (result.objects[0].state, result.objects[0].reason) == ("failed", reason[:-4])


def test_a_cause_that_goes_away_is_forgotten(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False, waiting="ErrImagePull"))
    script = {10.0: lambda: api.put(pod(False)), 30.0: lambda: api.put(pod(), deployment())}
    assert gate(api, script=script).ready


def test_pull_errors_that_alternate_are_one_cause(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False, waiting="ErrImagePull"))
    script = {10.0: lambda: api.put(pod(False, waiting="ImagePullBackOff"))}
    assert gate(api, script=script).duration_s == 20


def test_a_pod_that_restarts_until_its_database_is_up(api: FakeApi) -> None:
    """CrashLoopBackOff is the kubelet's pause between two tries."""
    api.put(unready(deployment()), replicaset(), pod(False))
    script = {
        5.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=1)),
        15.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=2)),
        60.0: lambda: api.put(pod(restarts=3), deployment()),
    }
    assert gate(api, script=script).ready


def test_a_crash_loop_ends_with_the_last_restart_that_is_allowed(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False))
    script = {
        5.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=2)),
        33.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=3)),
    }
    result = gate(api, script=script)
    assert (result.reason, result.duration_s) == ("crash_loop:web", 33)


def test_a_cause_is_confirmed_by_a_second_read(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False, waiting="ErrImagePull"))
    gate(api)
    assert api.methods("GET").count(f"GET {PODS}/web-p1") == 1


def test_three_restarts_since_first_seen(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False, restarts=40))
    script = {
        1.0: lambda: api.put(pod(False, restarts=42)),
        9.0: lambda: api.put(pod(False, restarts=43)),
    }
    result = gate(api, script=script)
    assert (result.reason, result.duration_s) == ("crash_loop:web", 29)


def test_unschedulable_warns_then_fails(api: FakeApi) -> None:
    stuck = pod(False)
    stuck["status"] = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "cpu"}
        ],
    }
    api.put(unready(deployment()), replicaset(), stuck)
    events: list[Object] = []
    result = gate(api, emit=events.append)
    assert (result.reason, result.duration_s) == ("unschedulable:web", 60)
    assert result.warnings == ("web: unschedulable: cpu",)


PORT_TAKEN = (
    "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
)


def waits_for_a_port(uid: str = "p1") -> Object:
    """A pod that no node can run, since its hostPort is taken."""
    found = pod(False, uid=uid)
    found["spec"]["containers"][0]["ports"] = [{"hostPort": 8080}]
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    found["status"] = {
        "phase": "Pending",
        "conditions": [{**condition, "message": PORT_TAKEN}],
    }
    return found


def ending(found: Object, until: str = "2026-01-01T00:18:00Z") -> Object:
    """The pod on its node, within its grace period (the gate begins at 00:16:40)."""
    found["spec"].update(nodeName="node")
    found["spec"]["containers"][0]["ports"] = [{"hostPort": 8080}]
    found["metadata"].update(deletionTimestamp=until)
    return found


def test_an_ending_pod_that_holds_the_port_is_waited_for(api: FakeApi) -> None:
    old = ending(pod(uid="old", owner="r0"))
    api.put(unready(deployment()), replicaset(), waits_for_a_port(), old)
    script = {
        70.0: lambda: api.remove(old),
        80.0: lambda: api.put(pod(), deployment()),
    }
    result = gate(api, script=script)
    assert (result.status, result.duration_s) == ("ready", 80)
    held = f"web: unschedulable: {PORT_TAKEN} (held by web-old, which is ending)"
    assert held in result.warnings


def test_a_port_that_stays_taken_fails_a_minute_after_the_ending_pod(api: FakeApi) -> None:
    old = ending(pod(uid="old", owner="r0"))
    api.put(unready(deployment()), replicaset(), waits_for_a_port(), old)
    result = gate(api, script={20.0: lambda: api.remove(old)})
    assert (result.reason, result.duration_s) == ("unschedulable:web", 80)
    assert result.diagnosis is not None
    assert result.diagnosis.cause == "host_port_taken"


@pytest.mark.parametrize(
    "old", [pod(uid="old", owner="r0"), ending(pod(uid="old"), until="2026-01-01T00:16:00Z")]
)
def test_a_pod_that_stays_or_whose_grace_is_over_is_not_waited_for(
    api: FakeApi, old: Object
) -> None:
    api.put(unready(deployment()), replicaset(), waits_for_a_port(), old)
    result = gate(api)
    assert (result.reason, result.duration_s) == ("unschedulable:web", 60)


def lacks(message: str) -> Object:
    found = pod(False, waiting="CreateContainerConfigError")
    found["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = message
    return found


@pytest.mark.parametrize(
    ("message", "duration"),
    [
        ('secret "made-later" not found', 60),
        ('configmap "made-later" not found', 60),
        ("couldn't find key password in Secret app/made", 20),
    ],
)
def test_a_secret_that_another_controller_may_still_make(
    api: FakeApi, message: str, duration: float
) -> None:
    api.put(unready(deployment()), replicaset(), lacks(message))
    result = gate(api)
    assert (result.reason, result.duration_s) == ("container_config_error:web", duration)
    assert result.diagnosis is not None
    assert result.diagnosis.cause == "config_missing"


def test_a_secret_that_is_made_in_time(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), lacks('secret "made-later" not found'))
    assert gate(api, script={50.0: lambda: api.put(pod(), deployment())}).ready


def test_a_hook_that_fails_in_turn_with_the_pause_is_one_cause(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False, waiting="PostStartHookError"))
    script = {
        5.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=1)),
        15.0: lambda: api.put(pod(False, waiting="PostStartHookError", restarts=1)),
        16.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=2)),
        36.0: lambda: api.put(pod(False, waiting="PostStartHookError", restarts=2)),
    }
    result = gate(api, script=script)
    assert (result.reason, result.duration_s) == ("hook_failed:web", 36)


def test_the_last_start_that_is_allowed_gets_its_time(api: FakeApi) -> None:
    """However long the pauses before it were."""
    api.put(unready(deployment()), replicaset(), pod(False))
    script = {
        5.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=2)),
        45.0: lambda: api.put(pod(False, restarts=3)),
        55.0: lambda: api.put(pod(restarts=3), deployment()),
    }
    assert gate(api, script=script).ready


def test_the_last_start_that_is_allowed_runs_in_vain(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False))
    script = {
        5.0: lambda: api.put(pod(False, waiting="CrashLoopBackOff", restarts=2)),
        45.0: lambda: api.put(pod(False, restarts=3)),
    }
    result = gate(api, script=script)
    assert (result.reason, result.duration_s) == ("crash_loop:web", 65)


def cannot_create(message: str) -> Object:
    found = unready(deployment())
    found["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "message": message}
    ]
    return found


QUOTA = 'pods "web-1" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=1'
WEBHOOK = 'failed calling webhook "x": no endpoints available for service "hooks"'


@pytest.mark.parametrize(
    ("message", "leaving", "duration"),
    [
        (QUOTA, True, 60),
        (QUOTA, False, 10),
        (WEBHOOK, False, 60),
        ("pods is forbidden: no service account", True, 10),
    ],
)
def test_pods_that_cannot_be_created_yet(
    api: FakeApi, message: str, leaving: bool, duration: float
) -> None:
    api.put(cannot_create(message), replicaset())
    if leaving:
        api.put(ending(pod(uid="old", owner="r0")))
    result = gate(api)
    assert (result.reason, result.duration_s) == ("replica_failure:web", duration)


def test_a_new_pod_starts_the_time_again(api: FakeApi) -> None:
    """A rollout of several pods gets on with each that fits into the quota."""

    def made(uid: str, at: str) -> Object:
        found = pod(uid=uid)
        found["metadata"]["creationTimestamp"] = at
        return found

    api.put(cannot_create(QUOTA), replicaset(), ending(pod(uid="old", owner="r0")))
    script = {
        50.0: lambda: api.put(made("p1", "2026-01-01T00:17:30Z")),
        100.0: lambda: api.put(deployment()),
    }
    assert gate(api, script=script, timeout=120).ready


def test_replica_failure_must_last(api: FakeApi) -> None:
    broken = unready(deployment())
    broken["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True"}]
    api.put(broken)
    result = gate(api)
    assert (result.reason, result.duration_s) == ("replica_failure:web", 10)


def test_an_unexpected_image(api: FakeApi) -> None:
    api.put(deployment(), replicaset(), pod(digest=B))
    result = gate(api, expected={REPOSITORY: frozenset({A})})
    assert (result.reason, result.duration_s) == ("wrong_image:web", 20)


def test_each_object_must_run_its_own_digest(api: FakeApi) -> None:
    """Two releases may run the same image at the digests of different deploys."""
    api.put(deployment(), replicaset(), pod(digest=B))
    other, right = {REPOSITORY: frozenset({A})}, {REPOSITORY: frozenset({B})}
    both = {REPOSITORY: frozenset({A, B})}
    assert gate(api, expected=other, expected_by_object={WEB: right}).ready
    assert gate(api, expected=both, expected_by_object={WEB: other}).reason == "wrong_image:web"


def test_deadline(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False))
    result = gate(api, timeout=30)
    assert (result.status, result.reason) == ("failed", "timeout:ready 0/1")
    assert (result.subject, result.duration_s, result.deadline_s) == ("web", 30, 30)


def test_missing(api: FakeApi) -> None:
    result = gate(api, timeout=5)
    assert (result.status, result.reason) == ("failed", "timeout:not found")


def test_a_workload_explains_its_service(api: FakeApi) -> None:
    api.put(service(), unready(deployment()), replicaset(), pod(False))
    result = gate(api, scope=(ref_of(service()), WEB), timeout=5)
    assert (result.subject, result.reason) == ("web", "timeout:ready 0/1")


def test_recreated_once_starts_over_twice_fails(api: FakeApi) -> None:
    def again(uid: str) -> Callable[[], None]:
        def act() -> None:
            fresh = unready(deployment())
            fresh["metadata"]["uid"] = uid
            api.put(fresh)

        return act

    api.put(unready(deployment()), replicaset(), pod(False))
    result = gate(api, script={3.0: again("d2"), 6.0: again("d3")})
    assert (result.reason, result.duration_s) == ("recreated:web", 6)


def test_a_job_deleted_by_its_ttl(api: FakeApi) -> None:
    api.put(job(), unready(deployment()), replicaset(), pod(False))
    script = {2.0: lambda: api.remove(job()), 4.0: lambda: api.put(pod(), deployment())}
    assert gate(api, scope=(ref_of(job()), WEB), script=script).ready
    gone = gate(api, scope=(ref_of(job()),), timeout=1)
    assert gone.reason == "timeout:not found"
    assert gate(api, scope=(ref_of(job()),), completed=frozenset({ref_of(job())})).ready


def job(uid: str = "j", *, complete: bool = True) -> Object:
    status = {"conditions": [{"type": "Complete", "status": "True"}]} if complete else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "app", "uid": uid},
        "spec": {},
        "status": status,
    }


def test_a_job_that_completes_and_is_deleted_at_once(api: FakeApi) -> None:
    """Both events arrive before the gate looks; the last one shows that it was complete."""
    api.put(job(complete=False))

    def complete_and_go() -> None:
        with api.changed:
            api.put(job())
            api.remove(job())

    result = gate(api, scope=(ref_of(job()),), script={3.0: complete_and_go})
    assert (result.status, result.objects[0].detail) == ("ready", "complete (deleted since)")


def test_a_job_deleted_before_it_completed_is_not_the_one_that_did(api: FakeApi) -> None:
    api.put(job("first"))
    script = {1.0: lambda: api.put(job("second", complete=False)), 2.0: lambda: api.remove(job())}
    api.put(unready(deployment()), replicaset(), pod(False))
    result = gate(api, scope=(ref_of(job()), WEB), script=script, timeout=5)
    assert result.reason == "timeout:not found"


def job_event(uid: str, reason: str, seconds: int = 1000) -> Object:
    """An Event of the Job controller, at that second of the server's clock."""
    minutes, rest = divmod(seconds, 60)
    created = f"2026-01-01T00:{minutes:02}:{rest:02}Z"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{uid}-{reason}",
            "namespace": "app",
            "creationTimestamp": created,
        },
        "involvedObject": {"kind": "Job", "name": "j", "uid": uid},
        "reason": reason,
    }


CREATED, COMPLETED = job_event("j", "SuccessfulCreate"), job_event("j", "Completed")
OLD = [job_event("old", "SuccessfulCreate", 500), job_event("old", "Completed", 500)]
GAVE_UP = job_event("j", "BackoffLimitExceeded")
FAILURES = {
    "BackoffLimitExceeded": "Job has reached the specified backoff limit",
    "DeadlineExceeded": "Job was active longer than specified deadline",
    "PodFailurePolicy": "Container main for pod app/j-x failed with exit code 3 matching FailJob",
    "FailedIndexes": "Job has failed indexes",
    "MaxFailedIndexesExceeded": "Job has exceeded the specified maximal number of failed indexes",
}


@pytest.mark.parametrize(
    ("events", "ready"),
    [
        ([CREATED, COMPLETED], True),
        ([*OLD, CREATED, COMPLETED], True),
        ([], False),
        ([CREATED], False),
        # That was an earlier release's Job of the same name.
        (OLD, False),
        ([*OLD, CREATED], False),
        ([job_event("old", "BackoffLimitExceeded", 500), CREATED], False),
        # Another Job has been created since.
        ([CREATED, COMPLETED, job_event("k", "SuccessfulCreate", 1001)], False),
        ([CREATED, GAVE_UP, job_event("k", "Completed", 1001)], False),
    ],
)
def test_a_job_deleted_before_the_gate(api: FakeApi, events: list[Object], ready: bool) -> None:
    """Its TTL was 0, so the controller's Events since the release are the only proof."""
    api.put(*events)
    since = {ref_of(job()): EPOCH + 900}
    result = gate(api, scope=(ref_of(job()),), jobs=since, timeout=20)
    assert result.ready is ready, result
    if not ready:
        assert (result.reason, result.duration_s) == ("timeout:not found", 20)
        assert result.diagnosis is not None
        assert result.diagnosis.cause == "gone"


@pytest.mark.parametrize("reason", FAILURES)
@pytest.mark.parametrize("others", [[], OLD, [job_event("k", "Completed", 950)]])
def test_a_job_that_failed_and_was_deleted_before_the_gate(
    api: FakeApi, reason: str, others: list[Object]
) -> None:
    """Told by the controller's Event, at once, and not as a timeout."""
    told = {**job_event("j", reason), "type": "Warning", "message": FAILURES[reason]}
    api.put(*others, CREATED, told)
    result = gate(api, scope=(ref_of(job()),), jobs={ref_of(job()): EPOCH + 900}, timeout=20)
    assert (result.status, result.reason) == ("failed", "job_failed:j")
    assert result.detail == f"{FAILURES[reason]} (deleted since)"
    assert result.duration_s < 5
    assert result.diagnosis is not None
    assert result.diagnosis.cause == "job_deleted"
    assert "ttlSecondsAfterFinished" in result.diagnosis.next_step
    assert f"Job/j {reason}: {FAILURES[reason]}" in result.diagnosis.events


def test_a_job_that_fails_and_is_deleted_in_one_breath(api: FakeApi) -> None:
    """The gate may see only what is left when both changes have come."""
    failed = job(complete=False)
    condition = {"type": "Failed", "status": "True", "message": FAILURES["BackoffLimitExceeded"]}
    failed["status"] = {"conditions": [condition]}

    def fail_and_go() -> None:
        with api.changed:
            api.put(failed)
            api.remove(failed)

    api.put(job(complete=False))
    result = gate(api, scope=(ref_of(job()),), script={3.0: fail_and_go})
    assert result.reason == "job_failed:j"
    assert FAILURES["BackoffLimitExceeded"] in result.detail


def test_a_job_that_failed_and_was_made_again_is_judged_anew(api: FakeApi) -> None:
    failed = {**job_event("j", "BackoffLimitExceeded"), "message": "too often"}
    api.put(CREATED, failed)
    since = {ref_of(job()): EPOCH + 900}
    api.put(job("again"))
    assert gate(api, scope=(ref_of(job()),), jobs=since).ready


def test_an_event_that_arrives_after_the_job_is_deleted(api: FakeApi) -> None:
    since = {ref_of(job()): EPOCH + 900}
    script = {3.0: lambda: api.put(CREATED, COMPLETED)}
    result = gate(api, scope=(ref_of(job()),), jobs=since, script=script)
    assert (result.status, result.objects[0].detail) == ("ready", "complete (deleted since)")
    assert result.duration_s < 10
    asked = [path for path in api.methods("GET") if path.endswith("/events")]
    assert len(asked) < 6


def test_a_container_that_appears_later_started_without_restarts(api: FakeApi) -> None:
    pending = pod(False)
    pending["status"]["containerStatuses"] = []
    api.put(unready(deployment()), replicaset(), pending)
    result = gate(api, script={2.0: lambda: api.put(pod(False, restarts=3))})
    assert (result.reason, result.duration_s) == ("crash_loop:web", 22)


def service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front", "namespace": "app", "uid": "s"},
        "spec": {"clusterIP": "10.0.0.1", "selector": {"app": "web"}},
    }


def test_a_service_of_a_workload_elsewhere_that_wants_no_pods(api: FakeApi) -> None:
    """That workload is not in the scope, but is read all the same."""
    idle = deployment(replicas=0)
    api.put(service(), idle)
    scope = (ref_of(service()),)
    assert gate(api, scope=scope, watches=5).ready
    assert observe_once(api.kube(), scope).ready
    api.put(deployment())
    assert observe_once(api.kube(), scope).reason == "no_endpoints:front"


def statefulset(**spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "app", "uid": "s1", "generation": 1},
        "spec": {"replicas": 1, "template": deployment()["spec"]["template"], **spec},
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "readyReplicas": 1,
            "updatedReplicas": 1,
            "currentRevision": "new",
            "updateRevision": "new",
        },
    }


def member() -> Object:
    entry = pod()
    owner = [{"uid": "s1", "controller": True}]
    labels = {"controller-revision-hash": "new"}
    entry["metadata"].update(name="db-0", labels=labels, ownerReferences=owner)
    return entry


def test_min_ready_seconds_where_the_server_does_not_count_them(api: FakeApi) -> None:
    db = statefulset(minReadySeconds=7)
    api.put(db, member())
    assert gate(api, scope=(ref_of(db),)).duration_s == 7
    db["status"]["availableReplicas"] = 1
    api.put(db)
    assert gate(api, scope=(ref_of(db),)).duration_s == 0


def test_kinds_without_readiness_are_listed_and_cost_nothing(api: FakeApi) -> None:
    config = ObjectRef("v1", "ConfigMap", "app", "c")
    api.put(deployment(), replicaset(), pod())
    result = gate(api, scope=(WEB, config))
    assert result.ready
    assert result.not_gated == ("v1/ConfigMap/app/c",)
    assert not [m for m in api.methods() if "configmaps" in m]


def test_a_custom_resource_that_cannot_be_judged_is_said(api: FakeApi) -> None:
    kinds = {"resources": [{"name": "widgets", "kind": "Widget", "namespaced": True}]}
    listed = {"metadata": {"resourceVersion": "1"}, "items": []}
    widget = {"metadata": {"name": "w", "namespace": "app", "uid": "w1"}, "status": "Running"}
    api.answers[("GET", "/apis/example.org/v1")] = [(200, {}, kinds)] * 9
    path = "/apis/example.org/v1/namespaces/app/widgets"
    api.answers[("GET", path)] = [(200, {}, {**listed, "items": [widget]})]
    ref = ObjectRef("example.org/v1", "Widget", "app", "w")
    events: list[Object] = []
    result = gate(api, scope=(ref,), emit=events.append, watches=0)
    said = "Widget w is not gated: its status is not an object"
    assert (result.status, result.warnings, result.not_gated) == ("ready", (said,), (str(ref),))
    assert said in [event.get("text") for event in events]


def test_a_stuck_pod_of_a_statefulset_is_deleted_once(api: FakeApi) -> None:
    def member(revision: str, uid: str, **changes: Any) -> Object:
        entry = pod(**changes)
        entry["metadata"].update(
            name="db-0",
            uid=uid,
            labels={"controller-revision-hash": revision},
            ownerReferences=[{"uid": "s1", "controller": True}],
        )
        return entry

    database = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "app", "uid": "s1", "generation": 2},
        "spec": {"replicas": 1, "template": deployment()["spec"]["template"]},
        "status": {
            "observedGeneration": 2,
            "replicas": 1,
            "currentRevision": "old",
            "updateRevision": "new",
        },
    }
    done = copy.deepcopy(database)
    done["status"].update(currentRevision="new", updatedReplicas=1, readyReplicas=1)
    stuck = member("old", "p1", ready=False, waiting="CrashLoopBackOff")
    api.put(database, stuck)
    api.answers[("DELETE", f"{PODS}/db-0")] = [(200, {}, {})]  # accepted, not gone yet
    script = {
        1.0: lambda: api.put(stuck),
        2.0: lambda: api.remove(stuck),
        3.0: lambda: api.put(member("new", "p2"), done),
    }
    result = gate(api, scope=(ref_of(database),), script=script)
    assert result.ready
    assert api.methods("DELETE") == [f"DELETE {PODS}/db-0"]
    assert result.warnings == ("deleted pod db-0 (stuck on an older revision: crash_loop)",)


LEFT_WAITING = pytest.mark.parametrize(
    ("waiting", "reason"),
    [
        ("ErrImagePull", "image_pull_failed"),
        ("ImagePullBackOff", "image_pull_failed"),
        ("CrashLoopBackOff", "crash_loop"),
    ],
)
BEFORE, WITHIN = "2026-01-01T00:16:30Z", "2026-01-01T00:16:36Z"  # the gate begins at 00:16:40


def left(waiting: str, made: str) -> Object:
    found = pod(False, waiting=waiting)
    found["metadata"]["creationTimestamp"] = made
    return found


@LEFT_WAITING
def test_a_pod_that_an_earlier_run_left_is_deleted_once(
    api: FakeApi, waiting: str, reason: str
) -> None:
    """It may wait minutes for the kubelet, and shows nothing of what this run has fixed."""
    api.put(unready(deployment()), replicaset(), left(waiting, BEFORE))
    api.answers[("DELETE", f"{PODS}/web-p1")] = [(200, {}, {})]  # accepted, not gone yet
    script = {
        1.0: lambda: api.put(left(waiting, BEFORE)),
        2.0: lambda: api.remove(left(waiting, BEFORE)),
        30.0: lambda: api.put(pod(uid="p2"), deployment()),
    }
    result = gate(api, script=script, run_age=5.0)
    assert result.ready
    assert api.methods("DELETE") == [f"DELETE {PODS}/web-p1"]
    assert result.warnings == (f"deleted pod web-p1 (left by an earlier run: {reason})",)


@LEFT_WAITING
@pytest.mark.parametrize("why", ["this run's", "untouched", "no run", "a bare pod"])
def test_no_other_pod_is_deleted(api: FakeApi, waiting: str, reason: str, why: str) -> None:
    found = left(waiting, WITHIN if why == "this run's" else BEFORE)
    if why == "a bare pod":
        del found["metadata"]["ownerReferences"]
        api.put(found)
    else:
        api.put(unready(deployment()), replicaset(), found)
    result = gate(
        api,
        scope=(ref_of(found),) if why == "a bare pod" else (WEB,),
        touched=why != "untouched",
        run_age=None if why == "no run" else 5.0,
    )
    assert (result.reason.partition(":")[0], result.duration_s) == (
        reason,
        90 if reason == "crash_loop" else 20,
    )
    assert api.methods("DELETE") == []


def test_pods_selected_by_also(api: FakeApi) -> None:
    api.put(deployment(), replicaset(), pod())
    loose = pod(False, uid="loose", owner="another")
    api.put(loose)
    ready = pod(uid="loose", owner="another")
    result = gate(
        api,
        scope=(),
        also=(PodScope(namespace="app", selector="app=web"),),
        script={4.0: lambda: api.put(ready)},
    )
    assert result.ready
    assert [entry.ref.name for entry in result.objects] == ["web", "web-loose"]
    assert result.duration_s >= 4


def test_also_that_matches_nothing(api: FakeApi) -> None:
    result = gate(api, scope=(), also=(PodScope(namespace="app", selector="app=none"),), timeout=3)
    assert (result.status, result.reason) == ("failed", "no_match:app=none")
    optional = PodScope(namespace="app", selector="app=none", optional=True)
    assert gate(api, scope=(), also=(optional,)).ready


def test_streams_that_end_are_opened_again(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False))
    script = {
        1.0: api.drop_watches,
        3.0: lambda: api.put(pod(), deployment()),
    }
    assert gate(api, script=script).ready


def test_expired_versions_are_listed_again(api: FakeApi) -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    body = '{"type": "ERROR", "object": ' + str(gone).replace("'", '"') + "}\n"
    api.put(deployment(), replicaset(), pod())
    items = {"metadata": {"resourceVersion": "1"}, "items": []}
    api.answers[("GET", PODS)] = [(200, {}, items), (200, {}, body)]
    result = gate(api)
    assert result.ready
    assert api.methods("GET").count(f"GET {PODS}") >= 3


def test_no_answer_is_unknown(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False))

    def outage() -> None:
        api.down = True
        api.drop_watches()

    result = gate(api, script={5.0: outage}, timeout=20, watches=0)
    assert (result.status, result.reason) == ("unknown", "apiserver_unreachable")
    assert result.duration_s == 20


def test_an_outage_that_ends_is_forgotten(api: FakeApi) -> None:
    busy = {"kind": "Status", "code": 503, "reason": "ServiceUnavailable", "message": "wait"}
    api.answers[("GET", PODS)] = [(503, {}, busy)] * 2
    api.answers[("GET", "/readyz")] = [(500, {}, "not yet")]
    api.put(deployment(), replicaset(), pod())
    assert gate(api).ready
    assert api.methods().count("GET /readyz") == 2


def test_an_older_version_does_not_replace_a_newer_one() -> None:
    source = Collection("v1", "Pod", "app")
    store = Store([source], lambda: 0.0)
    store.replace(source, [], 5.0)
    newer, older = pod(), pod(False)
    newer["metadata"]["resourceVersion"], older["metadata"]["resourceVersion"] = "10", "9"
    store.apply(source, "ADDED", newer)
    store.apply(source, "MODIFIED", older)
    _, view, trouble = store.state()
    assert view is not None
    assert (view.pods("app"), view.now, trouble) == ([newer], 5.0, None)


NO = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"}


def test_forbidden_does_not_wait(api: FakeApi) -> None:
    api.answers[("GET", PODS)] = [(403, {}, NO)] * 9
    result = gate(api)
    assert (result.status, result.reason, result.duration_s) == ("unknown", "api_forbidden", 0)
    assert len(api.answers[("GET", PODS)]) == 4
    assert result.diagnosis is not None
    assert "may not read" in result.diagnosis.meaning


def test_a_starting_server_may_reject_everyone_for_a_moment(api: FakeApi) -> None:
    api.answers[("GET", PODS)] = [(403, {}, NO)] * 3
    api.put(deployment(), replicaset(), pod())
    assert gate(api).ready


# -- HTTP checks ----------------------------------------------------------------------------------

PROXY = "/api/v1/namespaces/app/services/web:http/proxy/health"
HEALTH = HttpCheck(name="health", service="app/web:http", path="/health", contains="fine")


def test_a_check_is_sent_once_everything_is_ready(api: FakeApi) -> None:
    api.put(unready(deployment()), replicaset(), pod(False))
    api.answers[("GET", PROXY)] = [(200, {}, "all is fine")]
    script = {3.0: lambda: api.put(pod(), deployment())}
    result = gate(api, script=script, checks=[HEALTH])
    assert (result.status, result.duration_s) == ("ready", 3)
    assert api.methods().count(f"GET {PROXY}") == 1


def test_a_check_is_repeated_until_it_passes(api: FakeApi) -> None:
    api.put(deployment(), replicaset(), pod())
    gone = {
        "kind": "Status",
        "code": 503,
        "reason": "ServiceUnavailable",
        "message": "no endpoints",
    }
    answers = [(503, {}, gone), (404, {}, "nothing"), (200, {}, "sick"), (200, {}, "fine")]
    api.answers[("GET", PROXY)] = list(answers)
    events: list[Object] = []
    assert gate(api, checks=[HEALTH], emit=events.append).ready
    assert [event["text"] for event in events if event["event"] == "progress"][1:] == [
        "health: app/web:http: no endpoints",
        "health: HTTP 404 instead of 200",
        "health: its answer does not contain 'fine'",
    ]


def test_a_check_that_never_passes(api: FakeApi) -> None:
    api.put(deployment(), replicaset(), pod())
    api.answers[("GET", PROXY)] = [(404, {}, "nothing")] * 999
    result = gate(api, checks=[HEALTH], timeout=2)
    assert (result.status, result.reason) == ("failed", "http_check:health")
    assert (result.detail, result.duration_s) == ("HTTP 404 instead of 200", 2)
    assert result.diagnosis is not None
    assert "readiness.http" in result.diagnosis.meaning


def test_checks_start_over_when_something_is_no_longer_ready(api: FakeApi) -> None:
    second = HttpCheck(name="second", service="app/web:http", path="/second")
    other = PROXY.replace("health", "second")
    api.put(deployment(), replicaset(), pod())
    api.answers[("GET", PROXY)] = [(200, {}, "fine")] * 2
    api.answers[("GET", other)] = [(503, {}, "later")] * 2 + [(200, {}, "now")] * 2

    def falls_over() -> None:
        api.put(pod(False), unready(deployment()))

    script = {0.01: falls_over, 2.0: lambda: api.put(pod(), deployment())}
    assert gate(api, checks=[HEALTH, second], script=script).ready
    assert api.methods().count(f"GET {PROXY}") == 2


def test_a_check_without_the_api_server(api: FakeApi) -> None:
    """A URL on loopback, here the fake's own /readyz; an expected error status passes."""
    host, port = api.server.server_address[:2]
    url = f"http://{host!s}:{port}"
    kube = api.kube()
    assert http_failure(kube, HttpCheck(name="x", url=f"{url}/readyz", contains="ok"), 1) == ""
    assert http_failure(kube, HttpCheck(name="x", url=f"{url}/nope", status=404), 1) == ""
    assert "refused" in http_failure(kube, HttpCheck(name="x", url="http://127.0.0.1:1/"), 1)
    api.answers[("GET", PROXY)] = [(418, {}, "teapot " * 99 + "fine")]
    tea = HttpCheck(name="tea", service="app/web:http", path="/health", status=418, contains="fine")
    assert http_failure(kube, tea, 1) == ""


def test_observe_once_sends_checks_too(api: FakeApi) -> None:
    api.now = lambda: EPOCH + 2000
    api.put(deployment(), replicaset(), pod())
    api.answers[("GET", PROXY)] = [(200, {}, "sick")]
    result = observe_once(api.kube(), [WEB], checks=[HEALTH])
    assert (result.reason, result.subject) == ("http_check:health", "health")


def test_evidence(api: FakeApi) -> None:
    api.put(
        unready(deployment()),
        replicaset(),
        pod(False, waiting="CrashLoopBackOff", restarts=2),
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "e", "namespace": "app"},
            "type": "Warning",
            "reason": "BackOff",
            "message": "back-off\x1b[31m restarting",
            "count": 4,
            "involvedObject": {"kind": "Pod", "name": "web-p1"},
        },
    )
    log = f"{PODS}/web-p1/log"
    api.logs = {log: "current\n", f"{log}true": "panic\x07: \x1b[1mno database\n" * 80}
    result = gate(api)
    text = render_evidence(result.evidence)
    assert "waiting: CrashLoopBackOff" in text
    assert "exit 3, Error" in text
    assert text.count("panic: no database") == 50
    assert "event Pod/web-p1 BackOff (x4): back-off restarting" in text
    assert "\x1b" not in text


def happened(name: str, uid: str, message: str, version: str, **times: Any) -> Object:
    """A warning about the pod web-p1, or about one of the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "app", "resourceVersion": version},
        "type": "Warning",
        "reason": "Unhealthy",
        "message": message,
        "involvedObject": {"kind": "Pod", "name": "web-p1", "uid": uid},
        **times,
    }


def test_evidence_has_the_newest_events_first_and_none_of_an_earlier_pod(api: FakeApi) -> None:
    """Whatever API wrote them; of two in the same second the one that was written last."""
    late = pod(False)
    second = {"lastTimestamp": "2026-01-01T10:00:20Z"}
    series = {"count": 9, "lastObservedTime": "2026-01-01T10:00:30.5Z"}
    ours = uid_of(late)
    api.put(
        unready(deployment()),
        replicaset(),
        late,
        happened("a", ours, "second", "99", **second),
        happened("b", ours, "first", "100", **second),
        happened("c", ours, "newest", "7", eventTime="2026-01-01T09:00:00Z", series=series),
        happened("d", "another", "of the pod before", "200", **second),
    )
    (found,) = collect_evidence(api.kube(), [WEB], Snapshot((deployment(), replicaset(), late)))
    assert [event["message"] for event in found["events"]] == ["newest", "first", "second"]
    assert found["events"][0]["count"] == 9


@pytest.mark.parametrize("gone", [False, True], ids=["behind", "gone"])
def test_evidence_shows_the_pods_as_they_are_now(api: FakeApi, gone: bool) -> None:
    """The watch on a Job may be ahead of the watch on its pods. A pod that is gone is shown as it
    was last seen."""
    seen = pod(False, waiting="ContainerCreating", owner="j")
    seen["status"]["containerStatuses"][0]["lastState"] = {}
    now = copy.deepcopy(seen)
    ended = {"terminated": {"exitCode": 2, "reason": "Error"}}
    now["status"]["containerStatuses"][0]["state"] = ended
    api.logs = {f"{PODS}/web-p1/log": "no database\n"}
    if not gone:
        api.put(now)
    view = Snapshot((job(), now if gone else seen))
    (found,) = collect_evidence(api.kube(), [ref_of(job())], view)
    (container,) = found["pods"][0]["containers"]
    assert container["terminated"] == "exit 2, Error"
    assert diagnose("job_failed:j", "", [found]).lines == ("no database",)


def test_a_missing_node_file_has_its_own_reason(api: FakeApi) -> None:
    stuck = pod(False, waiting="ContainerCreating")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "app"},
        "message": "MountVolume.SetUp failed: hostPath type check failed: /opt/x is not a file",
        "involvedObject": {"kind": "Pod", "name": "web-p1"},
    }
    api.put(unready(deployment()), replicaset(), stuck, event)
    assert gate(api, timeout=5).reason == "node_file_missing:/opt/x"


def test_sanitize() -> None:
    assert sanitize("a\x00b\x1b]0;title\x07c\u202ed\te") == "abcd e"
    assert sanitize("x" * 10, 5) == "xxxx…"


def test_observe_once(api: FakeApi) -> None:
    api.now = lambda: EPOCH + 2000
    api.put(deployment(), replicaset(), pod())
    kube = api.kube()
    result = observe_once(kube, [WEB], expected={REPOSITORY: frozenset({A})})
    assert result.ready
    assert len(api.requests) == 3  # deployments, replicasets (metadata), pods
    result = observe_once(kube, [WEB], expected={REPOSITORY: frozenset({B})})
    assert (result.status, result.reason) == ("failed", "wrong_image:web")


def test_observe_once_on_a_given_snapshot(api: FakeApi) -> None:
    api.now = lambda: EPOCH + 1001
    api.put(deployment(probe=False), replicaset(), pod())
    kube = api.kube()
    view = fetch_scope(kube, [WEB])
    before = len(api.requests)
    result = observe_once(kube, [WEB], snapshot=view)
    assert (result.status, result.reason) == ("failed", "too_young:web")
    assert len(api.requests) == before
