"""The diagnosis: the cause recognised in the cluster's own messages, on one screen."""

from __future__ import annotations

from typing import Any

import pytest
from golden.states import states
from test_scheduling import SAID as SCHEDULER_SAID

from localloop.readiness.causes import CAUSES
from localloop.readiness.diagnosis import diagnose
from localloop.readiness.evidence import render_evidence
from localloop.readiness.reasons import REASONS, reason_named

NOT_FOUND = (
    'Failed to pull image "127.0.0.1:5003/web:no": rpc error: code = NotFound desc = failed to pull'
    " and unpack image: failed to resolve reference: 127.0.0.1:5003/web:no: not found"
)


def evidence(
    *,
    waiting: str = "",
    ended: str = "",
    log: tuple[str, ...] = (),
    event: str = "",
    condition: str = "",
    probe: str = "",
    init: bool = False,
) -> list[dict[str, Any]]:
    """Evidence as the gate collects it, for a Deployment with one pod of one container."""
    reason, _, message = event.partition(" ")
    happened = {"object": "Pod/web-1", "reason": reason, "message": message, "count": 2}
    container = {
        "name": "main",
        "restarts": 1 if ended else 0,
        "waiting": waiting,
        "terminated": ended,
        "logs": {"current": [], "previous": list(log)},
        "init": init,
        "ports": [8080],
        "readiness_probe": probe,
    }
    pod = {
        "name": "web-1",
        "phase": "Running",
        "conditions": [condition] if condition else [],
        "containers": [container],
    }
    return [
        {
            "ref": "apps/v1/Deployment/app/web",
            "pods": [pod],
            "events": [happened] if event else [],
        }
    ]


# Messages of servers, kubelets and container runtimes: containerd 1.6 with Kubernetes 1.20 unless
# noted otherwise.
SAID: list[tuple[str, dict[str, Any], str]] = [
    ("image_pull_failed:web", {"waiting": f"ErrImagePull {NOT_FOUND}"}, "image_not_found"),
    (
        "image_pull_failed:web",
        {"waiting": 'ImagePullBackOff Back-off pulling image "x"', "event": f"Failed {NOT_FOUND}"},
        "image_not_found",
    ),
    (  # Docker
        "image_pull_failed:web",
        {"waiting": "ErrImagePull failed to pull: manifest unknown: manifest unknown"},
        "image_not_found",
    ),
    (
        "image_pull_failed:web",
        {
            "event": 'Failed Failed to pull image "127.0.0.1:1/x:1": failed to do request: Head'
            ' "http://127.0.0.1:1/v2/x/manifests/1": dial tcp 127.0.0.1:1: connect: connection'
            " refused"
        },
        "registry_unreachable",
    ),
    (
        "image_pull_failed:web",
        {
            "waiting": 'ErrImagePull failed to pull and unpack image "docker.io/library/nope:1":'
            " dial tcp: lookup registry-1.docker.io on 127.0.0.11:53: no such host"
        },
        "registry_unreachable",
    ),
    (
        "image_pull_failed:web",
        {
            "waiting": "ErrImagePull failed to pull and unpack image: pull access denied,"
            " repository does not exist or may require authorization: server message:"
            " insufficient_scope: authorization failed"
        },
        "registry_refuses",
    ),
    (
        "image_pull_failed:web",
        {"waiting": "ErrImagePull failed to pull: http: server gave HTTP response to HTTPS client"},
        "registry_tls",
    ),
    (
        "image_pull_failed:web",
        {"waiting": "ErrImagePull failed to pull: no match for platform in manifest: not found"},
        "image_platform",
    ),
    (
        "container_config_error:web",
        {"waiting": 'CreateContainerConfigError configmap "absent" not found'},
        "config_missing",
    ),
    (
        "container_config_error:web",
        {"waiting": "CreateContainerConfigError couldn't find key USER in Secret app/db"},
        "config_missing",
    ),
    (
        "container_config_error:web",
        {"waiting": "CreateContainerConfigError container has runAsNonRoot and image will run as"},
        "runs_as_root",
    ),
    (
        "timeout:ready 0/1",
        {
            "waiting": "ContainerCreating",
            "event": 'FailedMount MountVolume.SetUp failed for volume "k": secret "k" not found',
        },
        "config_missing",
    ),
    (
        "timeout:ready 0/1",
        {"waiting": "ContainerCreating", "event": "FailedMount Unable to attach or mount volumes"},
        "volume_failed",
    ),
    (
        "crash_loop:web",
        {"waiting": "CrashLoopBackOff back-off 10s", "ended": "exit 137, OOMKilled"},
        "out_of_memory",
    ),
    (
        "crash_loop:web",
        {
            "ended": "exit 128, StartError failed to create containerd task: exec: "
            '"/tools/tool": exec format error: unknown'
        },
        "exec_format",
    ),
    (  # Docker
        "crash_loop:web",
        {"ended": "exit 1, Error", "log": ("standard_init_linux.go:228: exec format error",)},
        "exec_format",
    ),
    (
        "crash_loop:web",
        {"ended": 'exit 128, StartError exec: "/bin/absent": stat: no such file or directory'},
        "command_not_found",
    ),
    (
        "container_start_failed:web",
        {"waiting": 'RunContainerError exec: "serve": executable file not found in $PATH'},
        "command_not_found",
    ),
    (
        "crash_loop:web",
        {"ended": "exit 5, Error", "log": ("sh: can't create /site/new: Read-only file system",)},
        "read_only",
    ),
    (
        "crash_loop:web",
        {"ended": "exit 1, Error", "log": ("mkdir: can't create /data/x: Permission denied",)},
        "permission_denied",
    ),
    (
        "crash_loop:web",
        {"ended": "exit 137, Error", "event": "Unhealthy Liveness probe failed: dial tcp refused"},
        "liveness_failed",
    ),
    (  # it ended by itself, whatever the probe said meanwhile
        "crash_loop:web",
        {"ended": "exit 3, Error", "event": "Unhealthy Liveness probe failed: dial tcp refused"},
        "",
    ),
    (
        "crash_loop:web",
        {"ended": "exit 143, Error", "event": "Killing Container main failed startup probe, will"},
        "liveness_failed",
    ),
    (
        "crash_loop:web",
        {"ended": "exit 1, Error", "log": ("dial tcp 10.0.0.7:5432: connect: connection refused",)},
        "dependency_unreachable",
    ),
    (
        "timeout:ready 0/1",
        {
            "probe": "httpGet :8081/",
            "event": "Unhealthy Readiness probe failed: dial tcp 10.244.0.9:8081: connect:"
            " connection refused",
        },
        "probe_refused",
    ),
    (
        "progress_deadline:web",
        {"event": "Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404"},
        "probe_status",
    ),
    (
        "timeout:ready 0/1",
        {"event": "Unhealthy Readiness probe failed: Get http://x: context deadline exceeded"},
        "probe_timeout",
    ),
    ("timeout:ready 0/1", {"event": "Unhealthy Readiness probe failed: no db"}, "probe_command"),
    ("timeout:ready 0/1", {"probe": "tcpSocket :8081"}, "probe_fails"),
    (
        "unschedulable:web",
        {"condition": "PodScheduled: Unschedulable 0/1 nodes are available: 1 Insufficient cpu."},
        "insufficient_resources",
    ),
    (
        "unschedulable:web",
        {"condition": "PodScheduled: Unschedulable 1 node(s) didn't match node selector"},
        "no_matching_node",
    ),
    (
        "unschedulable:web",
        {"condition": "PodScheduled: pod has unbound immediate PersistentVolumeClaims"},
        "volume_unbound",
    ),
    (
        "timeout:ready 0/1",
        {"event": 'FailedCreate pods "web-0" is forbidden: exceeded quota: none'},
        "quota_exceeded",
    ),
    (
        "timeout:ready 0/1",
        {"event": 'FailedCreate admission webhook "x" denied the request: no'},
        "creation_refused",
    ),
    (
        "progress_deadline:web",
        {
            "waiting": "CrashLoopBackOff back-off 40s",
            "ended": "exit 1, Error",
            "event": "BackOff x",
        },
        "keeps_exiting",
    ),
    # What must not mislead.
    ("crash_loop:web", {"ended": "exit 3, Error", "log": ("no luck",)}, ""),
    ("timeout:ready 0/1", {"log": ("could connect after all: connection refused once",)}, ""),
    ("timeout:ready 0/1", {"event": "FailedMount it was late, and it runs since"}, ""),
    (
        "crash_loop:web",
        {
            "ended": "exit 3, Error",
            "event": "Unhealthy Readiness probe failed: dial tcp: connection refused",
        },
        "",
    ),
]


@pytest.mark.parametrize(("reason", "said", "cause"), SAID)
def test_cause(reason: str, said: dict[str, Any], cause: str) -> None:
    found = diagnose(reason, "", evidence(**said))
    assert found.cause == cause
    assert found.meaning
    assert found.next_step.endswith(".")


def test_each_cause_is_found_in_a_real_message() -> None:
    found = {cause for _, _, cause in SAID} | {"scheduling_gated"} | set(SCHEDULER_SAID)
    assert {cause.name for cause in CAUSES} - found == {
        "on_delete",
        "job_suspended",
        "gone",
        "job_deleted",
    }
    assert diagnose("timeout:not found", "not found").cause == "gone"
    assert diagnose("timeout:the Job", "the Job is suspended").cause == "job_suspended"


# -- events that contradict each other: the newest decides ----------------------------------------

START = "2026-01-01T10:00:00Z"
REFUSED = "Unhealthy Readiness probe failed: dial tcp 10.0.0.1:8080: connect: connection refused"
ANSWERED = "Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404"
DEADLINE = "Unhealthy Readiness probe failed: context deadline exceeded"
LIVENESS = "Unhealthy Liveness probe failed: HTTP probe failed with statuscode: 500"
UNREACHABLE = (
    'Failed Failed to pull image "r/web:1": failed to do request: dial tcp: connection refused'
)
MISSING = 'Failed Failed to pull image "r/web:1": r/web:1: not found'
QUOTA = "FailedCreate Error creating: pods is forbidden: exceeded quota: none"
WEBHOOK = "FailedCreate Error creating: admission webhook denied the request: no"
LATE, PULL, PODS = "timeout:ready 0/1", "image_pull_failed:web", "timeout:ready 0/1"


def newest_first(*said: str, last: str = START, **state: Any) -> list[dict[str, Any]]:
    """Evidence with several events of the container, the newest first."""
    found = evidence(**state)
    found[0]["pods"][0]["containers"][0]["started"] = START
    for text in said:
        (event,) = evidence(event=text)[0]["events"]
        about = {"part": "spec.containers{main}", "last": last}
        found[0]["events"].append({**event, **about})
    return found


@pytest.mark.parametrize(
    ("reason", "one", "other"),
    [
        (LATE, (REFUSED, "probe_refused"), (ANSWERED, "probe_status")),
        (LATE, (REFUSED, "probe_refused"), (DEADLINE, "probe_timeout")),
        (LATE, (ANSWERED, "probe_status"), (DEADLINE, "probe_timeout")),
        (LATE, (LIVENESS, "liveness_failed"), (ANSWERED, "probe_status")),
        (PULL, (UNREACHABLE, "registry_unreachable"), (MISSING, "image_not_found")),
        (PODS, (QUOTA, "quota_exceeded"), (WEBHOOK, "creation_refused")),
    ],
)
def test_the_newest_event_decides(
    reason: str, one: tuple[str, str], other: tuple[str, str]
) -> None:
    waiting = "ImagePullBackOff" if reason == PULL else ""
    for (newest, cause), (older, _) in [(one, other), (other, one)]:
        found = diagnose(reason, "", newest_first(newest, older, waiting=waiting))
        assert found.cause == cause, (newest, older)


def test_a_probe_that_killed_it_counts_whatever_was_said_later() -> None:
    for said in ((ANSWERED, LIVENESS), (LIVENESS, ANSWERED)):
        found = diagnose(LATE, "", newest_first(*said, ended="exit 137, Error"))
        assert found.cause == "liveness_failed"


def test_what_kept_it_from_starting_is_past_once_it_has_started() -> None:
    secret = 'Failed Error: secret "keys" not found'
    ended = {"waiting": "CrashLoopBackOff", "ended": "exit 3, Error"}
    earlier = newest_first(secret, last="2026-01-01T09:59:50Z", **ended)
    assert diagnose("crash_loop:web", "", earlier).cause == ""
    assert diagnose("crash_loop:web", "", newest_first(secret, **ended)).cause == "config_missing"
    earlier[0]["events"][0]["part"] = "spec.containers{other}"
    assert diagnose("crash_loop:web", "", earlier).cause == "config_missing"


def test_the_readiness_probe_of_what_keeps_exiting_is_not_its_cause() -> None:
    waits = {"waiting": "CrashLoopBackOff back-off 40s", "ended": "exit 1, Error"}
    found = diagnose("progress_deadline:web", "", newest_first(REFUSED, **waits))
    assert found.cause == "keeps_exiting"
    # It has started again, and nothing has asked it since.
    earlier = newest_first(REFUSED, last="2026-01-01T09:59:50Z", probe="httpGet :8080/")
    assert diagnose(LATE, "", earlier).cause == "probe_fails"
    assert diagnose(LATE, "", newest_first(REFUSED)).cause == "probe_refused"


def test_a_container_that_ended_once_and_is_ready_is_not_to_blame() -> None:
    said = newest_first(ANSWERED)
    containers = said[0]["pods"][0]["containers"]
    restarted = {**containers[0], "name": "helper", "terminated": "exit 1, Error", "ready": True}
    containers.insert(0, restarted)
    found = diagnose(LATE, "", said)
    assert (found.container, found.cause) == ("main", "probe_status")
    containers.pop()
    assert diagnose(LATE, "", said).container == "helper"


def test_a_pod_that_is_ready_does_not_wait_for_its_probe() -> None:
    """What holds up the rollout is another pod, or the image."""
    said = newest_first(probe="httpGet :8080/")
    assert diagnose(LATE, "", said).cause == "probe_fails"
    said[0]["pods"][0]["containers"][0]["ready"] = True
    assert diagnose(LATE, "1 pods of older revisions remain", said).cause == ""


def test_one_screen() -> None:
    said = evidence(
        waiting="CrashLoopBackOff back-off 10s",
        ended="exit 137, OOMKilled",
        log=tuple(f"line {number}" for number in range(50)),
        event="BackOff Back-off restarting failed container",
        init=True,
    )
    assert str(diagnose("crash_loop:web", "exit 137", said)).splitlines() == [
        "Deployment app/web, pod web-1, container main (init)",
        "a container keeps exiting (exit 137)",
        "it exceeded its memory limit and was killed (out_of_memory)",
        "last lines:",
        *(f"  line {number}" for number in range(42, 50)),
        "events:",
        "  Pod/web-1 BackOff (x2): Back-off restarting failed container",
    ]
    assert len(render_evidence(said).splitlines()) > 50


def test_a_probe_failure_names_the_declared_ports() -> None:
    found = diagnose("timeout:ready 0/1", "", evidence(probe="tcpSocket :8081"))
    assert "(probe_fails: tcpSocket :8081; declared ports: 8080)" in found.meaning


def test_without_evidence() -> None:
    """No API server, or a reason of another step."""
    found = diagnose("apiserver_unreachable", "timed out")
    assert (found.workload, found.pod, found.cause) == ("", "", "")
    assert "unknown" in found.meaning
    assert diagnose("some_other_reason", "").meaning == "some_other_reason"


# -- the table ------------------------------------------------------------------------------------


def test_every_reason_that_can_fail_an_object_is_in_the_table() -> None:
    failing = {state.reason for state in states() if state.state == "failed"}
    failing |= {suspect.reason for state in states() for suspect in state.verdict().suspects}
    assert {name for name in failing if reason_named(name) is None} == set()
    assert len(failing) >= 18


def test_names_are_unique_and_entries_complete() -> None:
    names = [row.name for row in (*REASONS, *CAUSES)]
    assert len(set(names)) == len(names)
    for row in (*REASONS, *CAUSES):
        assert row.meaning, row.name
        assert not row.meaning.endswith("."), row.name
        assert row.next_step.endswith("."), row.name
