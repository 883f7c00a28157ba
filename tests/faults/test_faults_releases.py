"""Releases in a state that Helm or the API server refuses: one project for all cases."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from harness.outside import Cluster, eventually
from harness.project import Project

pytestmark = pytest.mark.cluster

SLOW_HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: slow
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: slow
          image: {{ .Values.image | quote }}
          command: ["/bin/busybox", "sleep", "20"]
"""  # noqa: E501 (YAML)
JOB_AND_POD = """\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - {name: migrate, image: {{ .Values.image | quote }}, command: [/bin/busybox, echo, one]}
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {name: bare, image: {{ .Values.image | quote }}, command: [/bin/busybox, sleep, "1001"]}
"""


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("releases") / "project", "faults-releases", cluster)
    made.deploy()
    yield made
    made.end_runs()
    made.localloop("down", code=None)


@pytest.fixture
def healthy(shared: Project) -> Iterator[Project]:
    """The shared project; after each test one or two plain runs end without a change."""
    yield shared
    shared.deploy()
    assert shared.deploy().report["outcome"] == "unchanged"
    assert "localloop" in shared.outside.page()


def helm_by_hand(project: Project, verb: str, *words: str) -> subprocess.Popen[bytes]:
    """A real helm that something else starts on the project's release."""
    kubeconfig = str(project.cluster.kubeconfig)
    argv = ["helm", "--kubeconfig", kubeconfig, "-n", project.name, verb, "hello"]
    return subprocess.Popen(
        [*argv, str(project.root / "chart"), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def until_pending(project: Project, status: str) -> None:
    eventually(status, lambda: (project.outside.history() or [{}])[-1].get("status") == status)


def secret_of(project: Project, revision: int) -> dict[str, Any]:
    name = f"sh.helm.release.v1.hello.v{revision}"
    found: dict[str, Any] = project.cluster.get("-n", project.name, "secret", name)
    return found


def command_of(hint: str, tool: str) -> list[str]:
    """The command that a message ends with, in words."""
    return hint[hint.rindex(f"{tool} ") :].split()[1:]


def test_pending_upgrade_by_another_helm(healthy: Project) -> None:
    healthy.write("chart/templates/slow.yaml", SLOW_HOOK)
    theirs = helm_by_hand(healthy, "upgrade", "--reuse-values")
    until_pending(healthy, "pending-upgrade")
    before = healthy.outside.history()
    # While it is alive, it is left alone.
    run = healthy.deploy(code=75)
    assert run.report["error"]["reason"] == "release_pending"
    assert theirs.poll() is None
    # Once killed, it looks like one that runs elsewhere: the message says what to do.
    theirs.kill()
    theirs.wait()
    run = healthy.deploy(code=75)
    assert healthy.outside.history() == before
    assert healthy.outside.record()["charts"]["hello"]["state"] == "settled"
    (healthy.root / "chart/templates/slow.yaml").unlink()
    healthy.cluster.helm(*command_of(run.report["error"]["hint"], "helm"))
    healthy.deploy()


def test_pending_manual_upgrade_after_a_failed_deploy(healthy: Project) -> None:
    """A manual helm inherits localloop's label, but its revision gives it away."""
    healthy.set_page("localloop, not ready")
    template = healthy.read("chart/templates/deployment.yaml")
    config = healthy.read("localloop.yml")
    healthy.set_readiness_timeout(4)
    healthy.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    healthy.deploy(code=1)
    healthy.write("localloop.yml", config)
    healthy.write("chart/templates/deployment.yaml", template)
    healthy.write("chart/templates/slow.yaml", SLOW_HOOK)
    theirs = helm_by_hand(healthy, "upgrade", "--reuse-values")
    until_pending(healthy, "pending-upgrade")
    before = healthy.outside.history()
    run = healthy.deploy(code=75)
    assert run.report["error"]["reason"] == "release_pending"
    assert healthy.outside.history() == before
    theirs.kill()
    theirs.wait()
    (healthy.root / "chart/templates/slow.yaml").unlink()
    healthy.cluster.helm(*command_of(run.report["error"]["hint"], "helm"))


def test_pending_install_by_another_helm(healthy: Project) -> None:
    healthy.localloop("down")
    healthy.write("chart/templates/slow.yaml", SLOW_HOOK)
    image = f"--set=image={healthy.cluster.registry_url().removeprefix('http://')}/nobody:none"
    label = f"--labels=localloop-project={healthy.name}"
    theirs = helm_by_hand(healthy, "install", image, label)
    until_pending(healthy, "pending-install")
    theirs.kill()
    theirs.wait()
    run = healthy.deploy(code=75)
    assert run.report["error"]["reason"] == "release_pending"
    (healthy.root / "chart/templates/slow.yaml").unlink()
    healthy.cluster.helm(*command_of(run.report["error"]["hint"], "helm"))
    healthy.deploy()


def test_a_pre_delete_hook_fails(healthy: Project) -> None:
    """What ``down`` could not remove is reported with its hook; the next deploy repairs it."""
    hook = SLOW_HOOK.replace("pre-install,pre-upgrade", "pre-delete")
    healthy.write("chart/templates/slow.yaml", hook.replace('"sleep", "20"', '"false"'))
    healthy.deploy()
    run = healthy.localloop("down", code=1)
    assert run.report["error"]["reason"] == "uninstall_failed:hello"
    assert "the pre-delete hook Job slow failed" in run.text
    assert healthy.outside.history()[-1]["status"] == "failed"
    (healthy.root / "chart/templates/slow.yaml").unlink()
    healthy.deploy()
    assert healthy.outside.page() == healthy.read("site/index.html")
    healthy.localloop("down")
    assert healthy.outside.history() == []


@pytest.mark.parametrize("failed_before", [False, True], ids=["settled", "failed-before"])
def test_uninstall_by_another_helm(healthy: Project, failed_before: bool) -> None:
    """It makes no revision, and is never mistaken for localloop's, even after a failed deploy."""
    template, config = (
        healthy.read("chart/templates/deployment.yaml"),
        healthy.read("localloop.yml"),
    )
    hook = SLOW_HOOK.replace("pre-install,pre-upgrade", "pre-delete")
    healthy.write("chart/templates/slow.yaml", hook)
    healthy.deploy()
    if failed_before:
        healthy.set_readiness_timeout(4)
        healthy.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
        healthy.deploy(code=1)
        healthy.write("localloop.yml", config)
        healthy.write("chart/templates/deployment.yaml", template)
    argv = ["helm", "--kubeconfig", str(healthy.cluster.kubeconfig), "-n", healthy.name]
    theirs = subprocess.Popen([*argv, "uninstall", "hello"])
    until_pending(healthy, "uninstalling")
    (healthy.root / "chart/templates/slow.yaml").unlink()
    run = healthy.deploy(code=75)
    assert run.report["error"]["reason"] == "release_pending"
    theirs.kill()
    theirs.wait()
    healthy.cluster.helm(*command_of(run.report["error"]["hint"], "helm"))
    healthy.deploy()


def test_first_install_that_fails_in_helm(healthy: Project) -> None:
    healthy.localloop("down")
    failing = SLOW_HOOK.replace('"sleep", "20"', '"false"')
    healthy.write("chart/templates/slow.yaml", failing)
    run = healthy.deploy(code=1)
    assert run.report["error"]["reason"] == "release_failed:hello"
    assert [entry["status"] for entry in healthy.outside.history()] == ["failed"]
    (healthy.root / "chart/templates/slow.yaml").unlink()
    run = healthy.deploy()
    assert "its first install failed: uninstalled and installed again" in run.text
    assert healthy.outside.see().revisions == ((1, "deployed"),)


def test_release_that_cannot_be_decoded(healthy: Project) -> None:
    revision, pods = healthy.outside.see().revision, healthy.outside.see().pods
    name = f"sh.helm.release.v1.hello.v{revision}"
    damage = json.dumps({"data": {"release": base64.b64encode(b"damaged").decode()}})
    healthy.outside.kubectl("patch", "secret", name, "--type=merge", "--patch", damage)
    run = healthy.deploy(code=1)
    assert run.report["error"]["reason"] == "release_undecodable"
    assert name in run.text
    healthy.cluster.kubectl(*command_of(run.report["error"]["hint"], "kubectl"))
    healthy.deploy()
    assert healthy.outside.see().pods == pods


def test_all_secrets_of_helm_deleted(healthy: Project) -> None:
    pods = healthy.outside.see().pods
    healthy.outside.kubectl("delete", "secrets", "-l", "owner=helm")
    run = healthy.deploy()
    assert "release_missing" in run.reasons("hello")
    assert healthy.outside.see().pods == pods


def test_two_revisions_deployed(healthy: Project) -> None:
    healthy.set_page("localloop, revised")
    healthy.deploy()
    older = secret_of(healthy, healthy.outside.see().revision - 1)
    content = json.loads(
        gzip.decompress(base64.b64decode(base64.b64decode(older["data"]["release"])))
    )
    content["info"]["status"] = "deployed"
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    older["data"]["release"] = base64.b64encode(packed).decode()
    older["metadata"]["labels"]["status"] = "deployed"
    healthy.cluster.kubectl("replace", "-f", "-", stdin=json.dumps(older))
    deployed = [e for e in healthy.outside.history() if e["status"] == "deployed"]
    assert len(deployed) == 2
    assert healthy.deploy().report["outcome"] == "unchanged"
    healthy.set_page("localloop, revised once more")
    healthy.deploy()
    assert "once more" in healthy.outside.page()


def test_release_that_is_too_large_for_helm(healthy: Project) -> None:
    before = healthy.outside.see()
    healthy.write("chart/noise.txt", base64.b64encode(os.urandom(1_500_000)).decode())
    run = healthy.deploy(code=1)
    assert run.report["error"]["reason"] == "release_failed:hello"
    assert ".helmignore" in run.report["error"]["hint"]
    assert healthy.outside.see() == before
    healthy.write("chart/.helmignore", "noise.txt\n")
    healthy.deploy()


def test_immutable_field_of_a_deployment_is_named(healthy: Project) -> None:
    before = healthy.outside.see()
    template = healthy.read("chart/templates/deployment.yaml")
    labels = "{app: {{ .Release.Name }}}"
    changed = template.replace(f"Labels: {labels}", "Labels: {app: {{ .Release.Name }}, v: two}")
    changed = changed.replace(f"      labels: {labels}", f"      labels: {labels[:-1]}, v: two}}")
    healthy.write("chart/templates/deployment.yaml", changed)
    run = healthy.deploy(code=1)
    error = run.report["error"]
    assert error["reason"] == "field_immutable:hello"
    assert "Deployment hello: spec.selector" in error["message"]
    assert healthy.outside.see().pods == before.pods
    # Its advice works: the object is deleted, and the change is released.
    healthy.cluster.kubectl(*command_of(error["hint"], "kubectl"))
    healthy.deploy()
    selector = healthy.outside.deployment()["spec"]["selector"]["matchLabels"]
    assert selector == {"app": "hello", "v": "two"}


def test_jobs_and_bare_pods_are_replaced(healthy: Project) -> None:
    healthy.write("chart/templates/job.yaml", JOB_AND_POD)
    healthy.deploy()
    changed = JOB_AND_POD.replace("echo, one", "echo, two").replace("1001", "1002")
    healthy.write("chart/templates/job.yaml", changed)
    before = healthy.outside.see()
    run = healthy.deploy()
    assert "Job migrate: spec.template cannot be changed: replaced" in run.text
    assert "Pod bare: spec cannot be changed: replaced" in run.text
    job = healthy.cluster.get("-n", healthy.name, "job", "migrate")
    assert job["spec"]["template"]["spec"]["containers"][0]["command"][-1] == "two"
    assert healthy.outside.see().pods == before.pods
    assert healthy.deploy().report["outcome"] == "unchanged"


def test_field_of_another_manager(healthy: Project) -> None:
    """A field that another manager owns by server-side apply is set back to the chart's value."""
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": healthy.name},
        "spec": {"replicas": 2},
    }
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=somebody")
    healthy.cluster.kubectl(*words, "-f", "-", stdin=json.dumps(theirs))
    run = healthy.deploy()
    assert "drift (Deployment hello: spec.replicas)" in run.reasons("hello")
    assert healthy.outside.deployment()["spec"]["replicas"] == 1


HELD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: held, finalizers: [example.org/kept]}
"""
LET_GO = ("patch", "configmap", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def test_namespace_that_is_being_deleted(healthy: Project) -> None:
    """A namespace that something holds is reported; one that goes away is re-created."""
    healthy.outside.kubectl("apply", "-f", "-", stdin=HELD)
    healthy.cluster.kubectl("delete", "namespace", healthy.name, "--wait=false")
    eventually("no release any more", lambda: not healthy.outside.history())
    original = healthy.read("localloop.yml")
    healthy.set_readiness_timeout(4)
    run = healthy.deploy(code=1)
    assert run.seconds < 90 / 2  # far from the readiness timeout that the project had
    assert run.report["error"]["reason"] == "namespace_terminating:hello"
    assert "example.org/kept" in run.report["error"]["message"]
    assert "kubectl get namespace" in run.report["error"]["hint"]
    assert healthy.outside.history() == []

    healthy.write("localloop.yml", original)
    waiting = healthy.start("deploy")
    waiting.until_said("hello", "release", "is being deleted")
    healthy.outside.kubectl(*LET_GO)
    run = waiting.end()
    assert run.code == 0, run.text
    assert healthy.outside.see().revisions == ((1, "deployed"),)
