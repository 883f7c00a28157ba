"""The gate on a real cluster: what it says of each way to be ready, or not, and how soon.

All scenes run at once, each in a namespace of its own; the tests look at what each gate said.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from harness.names import MakeProject
from harness.outside import Cluster, docker, eventually
from harness.project import Project
from harness.run import Run
from harness.scenes import (
    HTTPD,
    PROBE,
    Scene,
    Stage,
    clear,
    gate,
    once_ready,
    play,
    shell,
    with_container,
    workload,
)
from localloop.config.model import HttpCheck
from localloop.readiness.result import GateResult

pytestmark = pytest.mark.cluster

Results = dict[str, GateResult]
# The header of a program for 64-bit ARM, which other processors cannot run.
FOREIGN = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01" + bytes(43)


@pytest.fixture(scope="module")
def image(cluster: Cluster, first_deploy: tuple[Project, Run]) -> str:
    """The first project's image, by digest; the registry may have moved since its first deploy."""
    first_deploy[0].deploy()
    deployment = first_deploy[0].outside.deployment()
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.fixture(scope="module")
def results(cluster: Cluster, image: str) -> Iterator[Results]:
    yield play(cluster, scenes(image))
    clear(cluster)


def scenes(image: str) -> dict[str, Scene]:
    """By name; each differs from the usual in one thing."""
    nope = image.partition("@")[0] + ":nope"
    good = workload("StatefulSet", image)
    rolled = workload("StatefulSet", image, spec={"updateStrategy": {"type": "OnDelete"}})
    edited = with_container(rolled, env=[{"name": "TURN", "value": "2"}])
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tools"}}
    config_map |= {"binaryData": {"tool": b64encode(FOREIGN).decode()}}
    no_pods = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    no_pods |= {"spec": {"hard": {"pods": "0"}}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    service |= {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}
    nightly = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}}
    template = workload("Job", image, shell("true"))["spec"]
    nightly |= {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": template}}}
    kept = {"volumes": [{"name": "kept", "emptyDir": {}}]}
    tools = {"volumes": [{"name": "tools", "configMap": {"name": "tools", "defaultMode": 493}}]}
    init = [{"name": "prepare", "image": image, "command": shell("echo no-luck; exit 1")}]
    once = "[ -e /kept/once ] || { echo > /kept/once; exit 1; }; exec " + " ".join(HTTPD)
    late = "/bin/busybox httpd -p 8080 -h /site; /bin/busybox sleep 8; echo tired; exit 4"
    return {
        "tag-deployment": Scene((workload("Deployment", nope),)),
        "tag-statefulset": Scene((workload("StatefulSet", nope),)),
        "tag-daemonset": Scene((workload("DaemonSet", nope),)),
        "tag-job": Scene((workload("Job", nope),)),
        "registry-away": Scene((workload("Deployment", "127.0.0.1:1/app:1"),)),
        "nope": Scene((workload("Deployment", "nope:1"),)),
        "crash": Scene((workload("Deployment", image, shell("echo last-words; exit 3")),)),
        "crash-late": Scene((workload("Deployment", image, shell(late)),), gate={"stable_for": 10}),
        "exits-once": Scene(
            (
                workload(
                    "Deployment",
                    image,
                    shell(once),
                    pod=kept,
                    volumeMounts=[{"name": "kept", "mountPath": "/kept"}],
                ),
            )
        ),
        "init": Scene((workload("Deployment", image, pod={"initContainers": init}),)),
        "paused": Scene((workload("Deployment", image, spec={"paused": True}),)),
        "on-delete": Scene(
            (edited,),
            before=lambda stage: _roll(stage, rolled, edited),
            gate={"timeout": 8},
        ),
        "on-delete-by-hand": Scene(
            (edited,),
            before=lambda stage: _roll(stage, rolled, edited),
            during=lambda stage: stage.kubectl("delete", "pod", "web-0"),
        ),
        "stuck": Scene((good,), before=lambda stage: _get_stuck(stage, nope, good)),
        "unschedulable": Scene(
            (workload("Deployment", image, resources={"requests": {"cpu": "1000"}}),)
        ),
        "no-config-map": Scene(
            (workload("Deployment", image, envFrom=[{"configMapRef": {"name": "absent"}}]),)
        ),
        "no-secret": Scene(
            (
                workload(
                    "Deployment",
                    image,
                    pod={"volumes": [{"name": "keys", "secret": {"secretName": "absent"}}]},
                    volumeMounts=[{"name": "keys", "mountPath": "/keys"}],
                ),
            ),
            gate={"timeout": 25},
        ),
        "quota": Scene((no_pods, workload("Deployment", image))),
        "quota-statefulset": Scene((no_pods, workload("StatefulSet", image)), gate={"timeout": 15}),
        "none-wanted": Scene((workload("Deployment", image, spec={"replicas": 0}), service)),
        "ready": Scene((workload("Deployment", image), service)),
        "http": Scene(
            (workload("Deployment", image), service),
            gate={
                "checks": [HttpCheck(name="page", service="scene-http/web:80", contains="Hello")]
            },
        ),
        "http-fails": Scene(
            (workload("Deployment", image), service),
            gate={
                "checks": [HttpCheck(name="page", service="scene-http-fails/web:80", path="/nope")],
                "timeout": 60,
            },
        ),
        "no-probe": Scene((workload("Deployment", image, readinessProbe=None),)),
        "ttl": Scene(
            (
                workload(
                    "Job", image, shell("/bin/busybox sleep 2"), spec={"ttlSecondsAfterFinished": 0}
                ),
            ),
            gate={"stable_for": 0},
        ),
        "job-fails": Scene(
            (workload("Job", image, shell("echo no-database; exit 2"), spec={"backoffLimit": 0}),)
        ),
        "cron": Scene((nightly,)),
        "deadline": Scene(
            (
                workload(
                    "Deployment",
                    image,
                    readinessProbe={**PROBE, "httpGet": {"path": "/nope", "port": 8080}},
                    spec={"progressDeadlineSeconds": 45},
                ),
            )
        ),
        "probe-port": Scene(
            (
                workload(
                    "Deployment",
                    image,
                    readinessProbe={"tcpSocket": {"port": 8081}, "periodSeconds": 1},
                    ports=[{"containerPort": 8080}],
                ),
            ),
            gate={"timeout": 45},
        ),
        "liveness": Scene(
            (
                workload(
                    "Deployment",
                    image,
                    shell("/bin/busybox sleep 1000"),
                    readinessProbe={"exec": {"command": ["/bin/busybox", "false"]}},
                    livenessProbe={
                        "tcpSocket": {"port": 8080},
                        "periodSeconds": 1,
                        "failureThreshold": 1,
                    },
                ),
            ),
        ),
        "memory": Scene(
            (
                workload(
                    "Deployment",
                    image,
                    shell("x=$(/bin/busybox tail -c 99999999 /dev/zero)"),
                    resources={"limits": {"memory": "12Mi"}},
                ),
            )
        ),
        "foreign": Scene(
            (
                config_map,
                workload(
                    "Deployment",
                    image,
                    ["/tools/tool"],
                    pod=tools,
                    volumeMounts=[{"name": "tools", "mountPath": "/tools"}],
                ),
            )
        ),
        "command": Scene((workload("Deployment", image, ["/bin/absent"]),)),
        "read-only": Scene(
            (
                workload(
                    "Deployment",
                    image,
                    shell("echo > /site/new || exit 5"),
                    securityContext={"readOnlyRootFilesystem": True},
                ),
            )
        ),
    }


def _roll(stage: Stage, before: dict, after: dict) -> None:
    """A StatefulSet that was ready and is edited; its pod stays until it is deleted by hand."""
    stage.apply(before)
    once_ready(stage, before)
    stage.apply(after)


def _get_stuck(stage: Stage, bad_image: str, good: dict) -> None:
    """First a revision that cannot start, then the fixed one, which its pod blocks."""
    stage.apply(with_container(good, image=bad_image))
    eventually(
        "the stuck pod", lambda: stage.pod_waits("ErrImagePull", "ImagePullBackOff"), within=60
    )
    stage.apply(good)


# -- what the gates reported ----------------------------------------------------------------------

FAILED = [
    ("tag-deployment", "image_pull_failed:web", "image_not_found"),
    ("tag-statefulset", "image_pull_failed:web", "image_not_found"),
    ("tag-daemonset", "image_pull_failed:web", "image_not_found"),
    ("tag-job", "image_pull_failed:web", "image_not_found"),
    ("registry-away", "image_pull_failed:web", "registry_unreachable"),
    ("crash", "crash_loop:web", ""),
    ("crash-late", "crash_loop:web", ""),
    ("init", "crash_loop:web", ""),
    ("paused", "paused:web", ""),
    ("on-delete", "timeout:ready 0/1", "on_delete"),
    ("unschedulable", "unschedulable:web", "insufficient_resources"),
    ("no-config-map", "container_config_error:web", "config_missing"),
    ("no-secret", "timeout:ready 0/1", "config_missing"),
    ("quota", "replica_failure:web", "quota_exceeded"),
    ("quota-statefulset", "timeout:ready 0/1", "quota_exceeded"),
    ("job-fails", "job_failed:web", ""),
    ("deadline", "progress_deadline:web", "probe_status"),
    ("probe-port", "timeout:ready 0/1", "probe_refused"),
    ("liveness", "crash_loop:web", "liveness_failed"),
    ("memory", "crash_loop:web", "out_of_memory"),
    ("foreign", "crash_loop:web", "exec_format"),
    ("command", "crash_loop:web", "command_not_found"),
    ("read-only", "crash_loop:web", "read_only"),
]


@pytest.mark.parametrize(("name", "reason", "cause"), FAILED, ids=[entry[0] for entry in FAILED])
def test_fails_by_name(results: Results, name: str, reason: str, cause: str) -> None:
    result = results[name]
    assert (result.status, result.reason) == ("failed", reason), str(result.diagnosis)
    assert result.diagnosis is not None
    assert result.diagnosis.cause == cause, f"{result.diagnosis}\n{result.evidence}"
    assert result.diagnosis.workload.endswith(f"scene-{name}/web")
    assert result.diagnosis.next_step
    assert len(str(result.diagnosis).splitlines()) <= 20


PASSED = ("ready", "http", "no-probe", "exits-once", "none-wanted", "on-delete-by-hand", "stuck")


@pytest.mark.parametrize("name", [*PASSED, "ttl", "cron"])
def test_passes(results: Results, name: str) -> None:
    result = results[name]
    assert (result.status, result.reason) == ("ready", ""), str(result.diagnosis)


def test_a_declared_request(results: Results) -> None:
    """Everything else is ready, but one request is not answered as declared."""
    result = results["http-fails"]
    assert (result.status, result.reason) == ("failed", "http_check:page")
    assert result.detail == "HTTP 404 instead of 200"
    assert {entry.state for entry in result.objects} == {"ready"}


def test_an_image_without_a_registry(results: Results) -> None:
    """Whether docker.io answers depends on the machine; the reason does not."""
    assert results["nope"].reason == "image_pull_failed:web"
    assert results["nope"].diagnosis.cause in (
        *("image_not_found", "registry_unreachable", "registry_refuses", "registry_tls"),
    )


def test_the_last_log_lines_are_shown(results: Results) -> None:
    diagnosis = results["crash"].diagnosis
    assert "last-words" in diagnosis.lines
    assert "exit 3" in diagnosis.meaning
    assert (diagnosis.container, results["init"].diagnosis.container) == ("main", "prepare (init)")
    assert "no-luck" in results["init"].diagnosis.lines
    assert "tired" in results["crash-late"].diagnosis.lines
    assert "no-database" in results["job-fails"].diagnosis.lines


def test_a_crash_inside_the_window_is_no_success(results: Results) -> None:
    """It was Ready for eight of the ten seconds that were required."""
    assert results["crash-late"].duration_s > 10


def test_which_deadline_applied(results: Results) -> None:
    own, ours = results["deadline"], results["probe-port"]
    assert (own.deadline_s, own.deadline_by) == (45, "progressDeadlineSeconds of Deployment web")
    assert (ours.deadline_s, ours.deadline_by) == (45, "readiness.timeout")


def test_warnings_and_kinds_that_are_not_gated(results: Results) -> None:
    assert "Deployment web: its pods have no probe" in results["no-probe"].warnings
    assert set(results["none-wanted"].warnings) == {
        "Deployment web wants no pods",
        "Service web: the workloads it selects want no pods",
    }
    assert any("deleted pod web-0" in text for text in results["stuck"].warnings)
    assert any("unschedulable" in text for text in results["unschedulable"].warnings)
    assert "OnDelete" in results["on-delete"].detail
    assert results["quota"].not_gated == ("v1/ResourceQuota/scene-quota/none",)


def test_nothing_takes_longer_than_its_rule(results: Results) -> None:
    """Waiting stops once the cause has lasted: 20 s, 10 s for replicas, 60 s for scheduling
    and for what somebody else may still create.
    """
    assert results["paused"].duration_s < 5
    assert 10 <= results["quota"].duration_s < 25
    assert 60 <= results["unschedulable"].duration_s < 75
    assert 60 <= results["no-config-map"].duration_s < 100
    for name in ("tag-deployment", "tag-statefulset", "tag-daemonset", "tag-job"):
        assert 20 <= results[name].duration_s < 60, name
    for result in results.values():
        assert result.duration_s <= result.deadline_s + 15


def test_a_declared_request_of_a_deploy(make_project: MakeProject) -> None:
    """An unchanged deploy sends it too."""
    project = make_project("declared")
    service = "declared/hello:http"
    check = f"{{page: {{service: '{service}', contains: Hello}}}}"
    project.append("localloop.yml", f"\nreadiness: {{timeout: 30, http: {check}}}\n")
    project.deploy()
    assert project.deploy().report["outcome"] == "unchanged"
    project.edit("localloop.yml", "contains: Hello", "contains: Goodbye")
    project.edit("localloop.yml", "timeout: 30", "timeout: 4")
    run = project.deploy(code=1)
    assert run.report["error"]["reason"] == "http_check:page"
    assert "does not contain 'Goodbye'" in run.text
    project.edit("localloop.yml", "contains: Goodbye", "contains: Hello")
    project.deploy()
    assert project.deploy().report["outcome"] == "unchanged"


# -- trouble with the cluster itself: one after another, after all scenes have ended --------------


def test_api_server_that_pauses(cluster: Cluster, image: str, results: Results) -> None:
    """The gate waits through five seconds without an API server: no failure, and no success before.

    They begin once the gate watches, and has seen that everything is ready.
    """
    mender = threading.Timer(5, docker, ("exec", cluster.node, "pkill", "-CONT", "kube-apiserver"))
    said = []

    def pause(event: dict[str, Any]) -> None:
        said.append(event)
        if len(said) == 1:
            docker("exec", cluster.node, "pkill", "-STOP", "kube-apiserver")
            mender.start()

    stage = Stage(cluster, "scene-ready")
    try:
        result = gate(stage, scenes(image)["ready"].objects, timeout=60, stable_for=2, emit=pause)
    finally:
        if said:
            mender.join()
    assert (result.status, result.reason) == ("ready", "")
    assert "ready 1/1" in said[0]["text"]
    assert 5 <= result.duration_s < 60


def test_api_server_that_stays_away(cluster: Cluster, image: str, results: Results) -> None:
    """That is unknown, not failed, and takes at most 15 s longer than the deadline."""
    stage = Stage(cluster, "scene-ready")
    docker("exec", cluster.node, "pkill", "-STOP", "kube-apiserver")
    began = time.monotonic()
    try:
        result = gate(stage, scenes(image)["ready"].objects, timeout=4)
    finally:
        docker("exec", cluster.node, "pkill", "-CONT", "kube-apiserver")
    assert (result.status, result.reason) == ("unknown", "apiserver_unreachable")
    assert result.diagnosis.next_step
    assert time.monotonic() - began < 4 + 15


def test_node_restarted_before_an_unchanged_run(
    cluster: Cluster, first_deploy: tuple[Project, Run], results: Results
) -> None:
    """Its pods come back by themselves: no failure, and nothing to release."""
    project = first_deploy[0]
    before = project.outside.see()
    clear(cluster)
    docker("restart", "-t", "5", cluster.node)
    run = project.deploy()
    assert run.report["readiness"]["readiness_gate_status"] == "ready"
    after = project.outside.see()
    assert (after.page, after.revisions) == (before.page, before.revisions)
    assert project.deploy().report["outcome"] == "unchanged"
