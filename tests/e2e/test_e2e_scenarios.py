"""Everyday use: each edit does exactly what it has to, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.claims import agrees, unchanged
from harness.outside import Cluster
from harness.project import Project
from harness.run import Run

pytestmark = pytest.mark.cluster


def test_first_deploy_on_a_bare_machine(first_deploy: tuple[Project, Run]) -> None:
    project, run = first_deploy
    assert run.code == 0, run.text
    assert "cluster_missing" in run.text
    seen = project.outside.see()
    assert "Hello from localloop" in seen.page
    assert seen.revisions == ((1, "deployed"),)
    assert len(seen.pods) == 1
    assert len(seen.fp_tags) == 1
    assert run.report["outcome"] == "deployed"
    assert run.report["components"]["hello"]["revision"] == 1
    unchanged(project.deploy(), project.outside, seen)


def test_first_deploy(project: Project) -> None:
    run = project.deploy()
    seen = project.outside.see()
    assert "Hello from localloop" in seen.page
    assert seen.revisions == ((1, "deployed"),)
    assert len(seen.pods) == 1
    assert seen.image.partition("@")[2] in next(iter(seen.pods.values()))
    assert len(seen.fp_tags) == 1
    assert run.reasons("web") == "never_built"
    assert "never_deployed" in run.reasons("hello")
    assert run.report["outcome"] == "deployed"


def test_no_change_starts_no_ansible(deployed: Project, tmp_path: Path) -> None:
    before = deployed.outside.see()
    run, started = deployed.traced_deploy(tmp_path / "quiet")
    assert started == ""
    unchanged(run, deployed.outside, before)
    assert run.report["components"]["web"]["skip"] == "unchanged"
    assert run.report["components"]["hello"]["skip"] == "unchanged"
    # The same probe does see a playbook if there is one.
    deployed.set_page("seen by the probe")
    _, started = deployed.traced_deploy(tmp_path / "busy")
    assert "import ansible_runner" in started
    assert "ansible-playbook" in started


def test_page_edit(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.set_page("An edited page")
    run = deployed.deploy()
    after = deployed.outside.see()
    assert "An edited page" in after.page
    assert after.revisions == ((1, "superseded"), (2, "deployed"))
    assert len(after.fp_tags) == len(before.fp_tags) + 1
    assert len(after.builds) == len(before.builds) + 1
    assert not set(after.pods) & set(before.pods)
    assert "site/index.html" in run.reasons("web")
    assert "consumes (web)" in run.reasons("hello")
    agrees(run, deployed.outside, before, after)
    unchanged(deployed.deploy(), deployed.outside, after)


def test_chart_template_edit_with_the_same_version(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.edit(
        "chart/templates/service.yaml",
        "metadata:\n",
        "metadata:\n  annotations: {edited: by-hand-of-the-author}\n",
    )
    run = deployed.deploy()
    after = deployed.outside.see()
    service = deployed.cluster.get("-n", deployed.name, "service", "hello")
    assert service["metadata"]["annotations"]["edited"] == "by-hand-of-the-author"
    assert after.revisions == ((1, "superseded"), (2, "deployed"))
    assert after.tags == before.tags
    assert after.pods == before.pods
    assert run.report["components"]["web"]["steps"] == []
    assert "templates/service.yaml" in run.reasons("hello")
    agrees(run, deployed.outside, before, after)


JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: once
spec:
  ttlSecondsAfterFinished: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: once
          image: {{ .Values.image | quote }}
          command: [/bin/busybox, "true"]
"""


def test_job_deleted_by_its_ttl(project: Project) -> None:
    project.write("chart/templates/job.yaml", JOB)
    project.deploy()
    project.cluster.kubectl("-n", project.name, "wait", "--for=delete", "job/once", "--timeout=30s")
    before = project.outside.see()
    assert before.revisions == ((1, "deployed"),)
    run = project.deploy()
    assert project.outside.see() == before
    assert run.report["outcome"] == "unchanged"
    states = {found["ref"]: found["state"] for found in run.report["readiness"]["objects"]}
    assert states[f"batch/v1/Job/{project.name}/once"] == "ready"


# A hook after the release's objects: Helm returns only when it is done.
LATE_HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: late
  annotations: {helm.sh/hook: "post-install,post-upgrade"}
spec:
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: late
          image: {{ .Values.image | quote }}
          command: [/bin/busybox, sleep, "12"]
"""


@pytest.mark.parametrize("ends_well", [True, False], ids=["complete", "failed"])
def test_job_that_is_gone_when_helm_returns(project: Project, ends_well: bool) -> None:
    """Its TTL deletes it before the gate sees it; how it ended decides all the same."""
    project.write("chart/templates/late.yaml", LATE_HOOK)
    job = JOB if ends_well else JOB.replace('"true"', '"false"')
    project.write(
        "chart/templates/job.yaml", job.replace("spec:\n", "spec:\n  backoffLimit: 0\n", 1)
    )
    project.set_readiness_timeout(10)
    run = project.deploy(code=0 if ends_well else 1)
    jobs = {
        found["metadata"]["name"] for found in project.cluster.items("-n", project.name, "jobs")
    }
    assert jobs == {"late"}
    if ends_well:
        assert project.deploy().report["outcome"] == "unchanged"
        return
    assert run.report["error"]["reason"] == "job_failed:once"
    assert "BackoffLimitExceeded" in run.report["evidence"]
    # A second run runs the Job again instead of doing nothing. Once fixed, it becomes ready.
    again = project.deploy(code=1)
    assert "Job once is gone" in again.reasons("hello")
    project.write("chart/templates/job.yaml", JOB)
    project.deploy()
    assert project.deploy().report["outcome"] == "unchanged"


def test_unrelated_edit(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.append("README.md", "\nMore words.\n")
    unchanged(deployed.deploy(), deployed.outside, before)


def test_commit_of_deployed_bytes(deployed: Project) -> None:
    before = deployed.outside.see()
    for words in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=e2e", "-c", "user.email=e2e@example.org", "commit", "--quiet", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=deployed.root, check=True)
    unchanged(deployed.deploy(), deployed.outside, before)


def test_revert_needs_no_build(deployed: Project) -> None:
    original = deployed.read("site/index.html")
    first = deployed.outside.see()
    deployed.set_page("A detour")
    deployed.deploy()
    before = deployed.outside.see()
    deployed.write("site/index.html", original)
    run = deployed.deploy()
    after = deployed.outside.see()
    assert after.page == first.page
    assert after.revision == before.revision + 1
    assert after.tags == before.tags
    assert after.image == first.image
    assert run.report["components"]["web"]["skip"] == "in_registry"
    assert "image_changed (web)" in run.reasons("hello")
    agrees(run, deployed.outside, before, after)
    unchanged(deployed.deploy(), deployed.outside, after)


def test_rebuild_with_equal_bytes(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.append("Dockerfile", "\n# A comment that is in no layer.\n")
    run = deployed.deploy()
    after = deployed.outside.see()
    assert len(after.fp_tags) == len(before.fp_tags) + 1
    assert (after.revisions, after.pods, after.image) == (
        before.revisions,
        before.pods,
        before.image,
    )
    assert run.report["components"]["hello"]["skip"] == "digest_already_deployed"
    assert run.report["plan"]["web_reconcile_skipped"] is True
    assert run.report["plan"]["web_reconcile_skip_reason"] == "digest_already_deployed"
    agrees(run, deployed.outside, before, after)
    unchanged(deployed.deploy(), deployed.outside, after)


def test_explicit_target(deployed: Project) -> None:
    before = deployed.outside.see()
    run = deployed.deploy("web")
    after = deployed.outside.see()
    assert run.report["header"]["targets_requested"] == "web"
    assert run.report["header"]["explicit_target"] is True
    assert "targeted" in run.reasons("web")
    assert len(after.builds) == len(before.builds) + 1
    assert (after.revisions, after.pods) == (before.revisions, before.pods)
    assert run.report["components"]["hello"]["skip"] == "digest_already_deployed"
    agrees(run, deployed.outside, before, after)

    deployed.set_page("Named on the command line")
    run = deployed.deploy("web")
    edited = deployed.outside.see()
    assert "Named on the command line" in edited.page
    assert edited.revision == after.revision + 1
    assert "consumes (web)" in run.reasons("hello")
    agrees(run, deployed.outside, after, edited)
    unchanged(deployed.deploy(), deployed.outside, edited)


def test_unknown_target_is_refused(deployed: Project) -> None:
    before = deployed.outside.see()
    run = deployed.deploy("wep", code=2)
    assert "Did you mean web?" in run.text
    assert deployed.outside.see() == before


def test_full(deployed: Project) -> None:
    before = deployed.outside.see()
    run = deployed.deploy("--full")
    after = deployed.outside.see()
    assert run.report["header"]["mode"] == "full"
    assert after.revision == before.revision + 1
    assert after.pods == before.pods
    agrees(run, deployed.outside, before, after)


def test_two_checkouts_of_the_same_bytes(deployed: Project, cluster: Cluster, tmp_path: Path):
    before = deployed.outside.see()
    other = Project(tmp_path / "elsewhere" / "checkout", deployed.name, cluster)
    unchanged(other.deploy(), deployed.outside, before)
