"""What never becomes ready fails in time, with a reason and the pod's last lines."""

from __future__ import annotations

import pytest

from harness.outside import Seen
from harness.project import Project
from harness.run import Run

pytestmark = pytest.mark.cluster


def fails(project: Project, *, bound: float, reason: str, words: str) -> Run:
    """The deploy fails for that reason; output and report have the pod's lines."""
    run = project.deploy(code=1)
    report = run.report
    assert gate_seconds(run) < bound + 5
    assert report["outcome"] == "failed"
    assert report["exit_code"] == 1
    assert reason in report["error"]["reason"]
    assert report["readiness"]["readiness_gate_status"] == "failed"
    assert report["readiness"]["readiness_failure_reason"] == report["error"]["reason"]
    assert report["error"]["reason"] in run.text
    assert report["error"]["reason"] in run.markdown
    assert words in run.text
    assert words in report["evidence"]
    assert words in run.markdown
    assert not report["fingerprints"]["hello"]["state_written"]
    entry = project.outside.record()["charts"]["hello"]
    assert entry["state"] == "settling"
    assert entry["target"]["transaction"] == report["header"]["transaction_id"]
    return run


def gate_seconds(run: Run) -> float:
    """How long the gate took, without the work before it, which a busy machine makes longer."""
    return run.report["durations_ms"]["readiness_gate"] / 1000


def still_serves(project: Project, before: Seen) -> None:
    """Check that nothing was rolled back and the pods of the good revision still serve."""
    after = project.outside.see()
    assert after.page == before.page
    assert set(before.pods) <= set(after.pods)
    assert after.revision == before.revision + 1


def test_container_that_exits_at_once(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.set_readiness_timeout(200)
    deployed.set_entrypoint("echo the-last-words-of-it; exit 3")
    run = fails(deployed, bound=200, reason="crash_loop:hello", words="the-last-words-of-it")
    assert gate_seconds(run) < 100  # known long before the deadline
    still_serves(deployed, before)
    # A second run fails again instead of doing nothing.
    again = deployed.deploy(code=1)
    assert again.report["components"]["hello"]["steps"]


def test_container_that_never_becomes_ready(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.set_readiness_timeout(8)
    deployed.set_entrypoint("echo waiting-for-godot; exec /bin/busybox httpd -f -p 8080 -h /site")
    deployed.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    run = fails(deployed, bound=8, reason="timeout:ready", words="waiting-for-godot")
    assert run.seconds >= 8
    assert "Readiness probe failed" in run.report["evidence"]
    still_serves(deployed, before)


def test_first_install_that_fails_is_repaired_by_a_rerun(project: Project) -> None:
    project.set_readiness_timeout(6)
    project.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    run = project.deploy(code=1)
    assert run.report["outcome"] == "failed"
    project.edit("chart/templates/deployment.yaml", "path: /no-such-page,", "path: /,")
    project.deploy()
    assert "Hello from localloop" in project.outside.page()
    assert project.deploy().report["outcome"] == "unchanged"


def test_image_that_cannot_be_pulled(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.set_readiness_timeout(40)
    good, ours, theirs = "$web.ref", "$web.repository:nope", "127.0.0.1:1/web:nope"
    deployed.edit("localloop.yml", f"      image: {good}", f"      image: {ours}")
    run = deployed.deploy(code=2)  # a tag of ours that nobody published
    assert f"{deployed.name}/web:nope" in run.text
    assert deployed.outside.see() == before
    deployed.edit("localloop.yml", f"      image: {ours}", f"      image: {theirs}")
    run = deployed.deploy(code=1)
    assert run.report["error"]["reason"].startswith("image_pull_failed:")
    assert run.report["outcome"] == "failed"
    deployed.edit("localloop.yml", f"      image: {theirs}", f"      image: {good}")
    deployed.deploy()
    assert deployed.deploy().report["outcome"] == "unchanged"


def test_crash_fixed_outside_of_the_pods_template(deployed: Project) -> None:
    """The kubelet delays the crashed pod longer each time, so it is replaced."""
    deployed.write(
        "chart/templates/wanted.yaml",
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: wanted}\ndata: {code: "1"}\n',
    )
    deployed.set_entrypoint("test $code = 0 && exec /bin/busybox httpd -f -p 8080 -h /site")
    deployed.edit(
        "chart/templates/deployment.yaml",
        "        - name: web\n",
        "        - name: web\n          envFrom: [{configMapRef: {name: wanted}}]\n",
    )
    failed = deployed.deploy(code=1)
    assert failed.report["error"]["reason"] == "crash_loop:hello"
    deployed.edit("chart/templates/wanted.yaml", '"1"', '"0"')
    mended = deployed.deploy()
    assert "left by an earlier run: crash_loop" in mended.text
    assert deployed.deploy().report["outcome"] == "unchanged"


def test_build_that_fails(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.add_build_step("echo the-compiler-says-no >&2; exit 7")
    run = deployed.deploy(code=1)
    assert run.report["error"]["reason"] == "build_failed:web"
    assert "the-compiler-says-no" in run.text
    assert "the-compiler-says-no" in run.markdown
    assert run.report["outcome"] == "failed"
    assert deployed.outside.see() == before
    assert deployed.outside.record()["charts"]["hello"]["state"] == "settled"


def test_chart_that_helm_refuses(deployed: Project) -> None:
    before = deployed.outside.see()
    original = deployed.read("chart/templates/service.yaml")
    deployed.append("chart/templates/service.yaml", '{{ fail "no-such-luck" }}\n')
    run = deployed.deploy(code=1)
    assert run.report["error"]["reason"] == "release_failed:hello"
    assert "no-such-luck" in run.text
    after = deployed.outside.see()
    assert (after.page, after.pods, after.tags) == (before.page, before.pods, before.tags)
    deployed.write("chart/templates/service.yaml", original)
    deployed.deploy()
    assert deployed.deploy().report["outcome"] == "unchanged"
