"""Rollbacks, on request or after a failure: one project, whose states build on each other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness.outside import Cluster
from harness.project import Project

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("rollback") / "project", "e2e-rollback", cluster)
    yield made
    made.end_runs()
    made.localloop("down", code=None)


def hook(when: str, command: str) -> str:
    """A Job that Helm runs."""
    return f"""\
apiVersion: batch/v1
kind: Job
metadata:
  name: {when}
  annotations: {{helm.sh/hook: {when}, helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: {{{{ .Values.image | quote }}}}
          command: ["/bin/busybox", {command}]
"""


FAILING = '"sh", "-c", "echo the-hook-has-spoken; exit 3"'


def entry(project: Project) -> dict:
    found: dict = project.outside.record()["charts"]["hello"]
    return found


def status(project: Project) -> dict:
    """What ``status`` says about the components."""
    found: dict = json.loads(project.localloop("status", "-o", "json").out)["components"]
    return found


def status_is_true(project: Project, transaction: str) -> None:
    """Check that ``status`` shows the image and revision that run, and their transaction."""
    shown, seen = status(project), project.outside.see()
    web, hello = shown["web"], shown["hello"]
    assert seen.image.endswith(web["digest"])
    assert hello["images"] == {"web": web["digest"]}
    assert web["charts"] == {"hello": web["digest"]}
    assert hello["revision"] == seen.revision
    assert hello["state"] == web["state"] == "settled"
    assert hello["transaction"] == web["transaction"] == transaction
    assert 0 <= web["age_s"] == hello["age_s"] < 60
    assert hello["ready"] == [f"Deployment hello: ready {seen.replicas}/{seen.replicas}"]


def test_nothing_to_go_back_to(shared: Project) -> None:
    assert shared.localloop("rollback", code=2).report["error"]["reason"] == "nothing_before"
    # A first deploy that fails is kept, whatever on_failure says: never uninstalled.
    shared.append("localloop.yml", "\nreadiness: {timeout: 5}\non_failure: rollback\n")
    shared.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    run = shared.deploy(code=1)
    assert "no earlier state" in run.report["error"]["hint"]
    assert run.report["rollback"] == {}
    assert [found["status"] for found in shared.outside.history()] == ["deployed"]
    shared.edit("chart/templates/deployment.yaml", "path: /no-such-page,", "path: /,")
    shared.edit("localloop.yml", "timeout: 5", "timeout: 30")
    shared.deploy()


def test_back_and_forth(shared: Project) -> None:
    first = entry(shared)["target"]["transaction"]
    image = shared.outside.see().image
    shared.set_page("The second page")
    shared.edit("chart/values.yaml", "replicas: 1", "replicas: 2")
    second = shared.deploy().report["header"]["transaction_id"]
    run = shared.localloop("rollback")
    after = shared.outside.see()
    assert run.report["outcome"] == "rolled_back"
    assert (after.image, after.replicas) == (image, 1)
    assert "Hello from localloop" in after.page
    assert run.plan_of("hello")["reasons"][0].startswith(f"rollback (to {first}, ")
    assert run.report["readiness"]["readiness_gate_status"] == "ready"
    assert (entry(shared)["state"], entry(shared)["target"]["transaction"]) == ("settled", first)
    assert entry(shared)["target"]["revision"] == after.revision
    # The image that was built last is not the one that runs; the sources of that one are gone.
    status_is_true(shared, first)
    assert status(shared)["web"]["fingerprint"] == ""
    # The state before is now the second one, which can also be named.
    shared.localloop("rollback")
    assert "The second page" in shared.outside.page()
    shared.localloop("rollback", first)
    assert "Hello from localloop" in shared.outside.page()
    run = shared.localloop("rollback", second)
    assert "The second page" in shared.outside.page()
    status_is_true(shared, second)
    assert status(shared)["web"]["fingerprint"]
    # The tree is what runs, so there is nothing to do.
    assert shared.deploy().report["outcome"] == "unchanged"
    assert shared.localloop("rollback", second).report["outcome"] == "unchanged"


def test_killed_in_the_middle(shared: Project) -> None:
    shared.write("chart/templates/slow.yaml", hook("pre-rollback", '"sleep", "20"'))
    shared.deploy()
    shared.set_page("After the hook")
    shared.deploy()
    run = shared.start("rollback")
    run.until(
        "pending-rollback", lambda: shared.outside.history()[-1]["status"] == "pending-rollback"
    )
    run.kill_tree()
    assert entry(shared)["state"] == "settling"
    # The tree is deployed, as after any killed run; the pending release is freed first.
    assert "unsettled" in shared.deploy().reasons("hello")
    assert "After the hook" in shared.outside.page()
    (shared.root / "chart/templates/slow.yaml").unlink()
    shared.deploy()


def test_unknown_transaction(shared: Project) -> None:
    before = shared.outside.see()
    run = shared.localloop("rollback", "tx-nobody", code=2)
    assert run.report["error"]["reason"] == "unknown_transaction"
    assert entry(shared)["target"]["transaction"] in run.text
    assert shared.outside.see() == before


def test_on_failure_rollback(shared: Project) -> None:
    before, good = shared.outside.see(), entry(shared)["target"]["transaction"]
    shared.edit("localloop.yml", "timeout: 30", "timeout: 5")
    shared.deploy()
    shared.set_page("A page that nobody sees")
    shared.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    run = shared.deploy(code=1)
    report, after = run.report, shared.outside.see()
    assert report["outcome"] == "failed"
    assert report["error"]["reason"].startswith("timeout:")
    assert report["readiness"]["readiness_gate_status"] == "failed"
    assert "Readiness probe failed" in report["evidence"]
    assert report["rollback"] == {
        "hello_transaction": good,
        "rollback_gate_status": "ready",
        "rollback_failure_reason": "",
    }
    assert "## Rollback" in run.markdown
    assert f"hello runs {good} again" in run.text
    assert not report["fingerprints"]["hello"]["state_written"]
    assert (after.image, after.page, after.replicas) == (before.image, before.page, 2)
    assert (entry(shared)["state"], entry(shared)["target"]["transaction"]) == ("settled", good)
    assert entry(shared)["target"]["revision"] == after.revision == before.revision + 2
    status_is_true(shared, good)
    # The same tree is tried again; once fixed, it is deployed.
    assert "chart_changed" in shared.deploy(code=1).reasons("hello")
    shared.edit("chart/templates/deployment.yaml", "path: /no-such-page,", "path: /,")
    shared.deploy()
    assert "nobody sees" in shared.outside.page()


def test_on_failure_rollback_if_helm_itself_fails(shared: Project) -> None:
    before = shared.outside.see()
    shared.write("chart/templates/after.yaml", hook("post-upgrade", FAILING))
    shared.edit("chart/values.yaml", "replicas: 2", "replicas: 1")
    run = shared.deploy(code=1)
    assert run.report["error"]["reason"] == "release_failed:hello"
    assert run.report["rollback"]["rollback_gate_status"] == "ready"
    assert shared.outside.see().replicas == before.replicas
    assert entry(shared)["state"] == "settled"
    # The output of the hook's pod is kept, and shown with the pod's name.
    assert "the post-upgrade hook Job post-upgrade failed" in run.text
    for told in (run.text, run.report["evidence"], run.markdown):
        assert f"{shared.name}/post-upgrade" in told
        assert "the-hook-has-spoken" in told
    assert "BackoffLimitExceeded" in run.report["evidence"]


def test_on_failure_rollback_if_a_hook_never_ends(shared: Project) -> None:
    """Helm's deadline for hooks is localloop's: a hung hook is reported and rolled back."""
    (shared.root / "chart/templates/after.yaml").unlink()
    shared.deploy()
    before, good = shared.outside.see(), entry(shared)["target"]["transaction"]
    forever = '"sh", "-c", "echo the-hook-waits; sleep 1000"'
    shared.write("chart/templates/before.yaml", hook("pre-upgrade", forever))
    run = shared.deploy(code=1)
    error = run.report["error"]
    assert run.seconds < 120
    assert (error["reason"], error["component"]) == ("release_failed:hello", "hello")
    assert "helm upgrade did not end within 65 s" in error["message"]
    assert "the pre-upgrade hook Job pre-upgrade is still running" in error["message"]
    assert "the-hook-waits" in error["message"]
    assert "the-hook-waits" in run.report["evidence"]
    assert f"kubectl -n {shared.name} delete job pre-upgrade" in error["hint"]
    assert run.report["rollback"]["rollback_gate_status"] == "ready"
    assert shared.outside.see().pods == before.pods
    status_is_true(shared, good)
    # The failed revision stays in Helm's history, but what runs is the state before.
    shared.outside.kubectl("delete", "job", "pre-upgrade")
    shared.edit("localloop.yml", "on_failure: rollback", "on_failure: keep")
    shared.write("chart/templates/before.yaml", hook("pre-upgrade", '"false"'))
    shared.deploy(code=1)
    shown = status(shared)
    assert shown["hello"]["state"] == shown["web"]["state"] == "settling"
    assert shown["hello"]["transaction"] == shown["web"]["transaction"] == good
    assert shown["hello"]["fingerprint"] == entry(shared)["last_good"]["fingerprint"]
    assert shown["hello"]["ready"] == ["Deployment hello: ready 1/1"]
    table = shared.localloop("status").out
    assert f"revision {shown['hello']['revision']} (settling)" in table
    shared.edit("localloop.yml", "on_failure: keep", "on_failure: rollback")
    (shared.root / "chart/templates/before.yaml").unlink()
    shared.deploy()


def test_rollback_without_its_image_or_revision_is_refused(shared: Project) -> None:
    states = entry(shared)["history"]
    target = next(s for s in states if s["images"] != states[0]["images"])
    digest = target["images"]["web"]["digest"]
    shared.cluster.registry("DELETE", f"{shared.name}/web/manifests/{digest}")
    run = shared.localloop("rollback", target["transaction"], code=2)
    assert run.report["error"]["reason"] == "registry_lost"
    name = f"sh.helm.release.v1.hello.v{target['revision']}"
    shared.outside.kubectl("delete", "secret", name)
    run = shared.localloop("rollback", target["transaction"], code=2)
    assert run.report["error"]["reason"] == "revision_gone"
