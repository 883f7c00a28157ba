"""SIGKILL at any moment: the next run becomes ready, and the one after that changes nothing."""

from __future__ import annotations

import pytest

from harness.claims import agrees, unchanged
from harness.outside import eventually
from harness.processes import left_behind
from harness.project import Project

pytestmark = pytest.mark.cluster

# A Job before each upgrade, so that Helm takes a while.
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: before
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: before
          image: {{ .Values.image | quote }}
          command: ["/bin/busybox", "sleep", "5"]
"""

NOTES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {by: the chart}
"""


def converges(project: Project, *named: str, page: str, reinstalled: bool = False) -> None:
    before = project.outside.see()
    run = project.deploy()
    after = project.outside.see()
    assert page in after.page
    for words in named:
        assert words in run.text
        assert words in run.reasons("hello")
    agrees(run, project.outside, before, after, reinstalled=reinstalled)
    unchanged(project.deploy(), project.outside, after)


def killed_report(project: Project, transaction: str) -> dict:
    """The report that the next run writes for a killed one."""
    import json

    path = project.root / ".cache" / "deploy-reports" / f"{transaction}.json"
    assert path.exists()
    assert not path.with_suffix(".jsonl").exists()
    return json.loads(path.read_text())


@pytest.mark.parametrize("whole_tree", [True, False], ids=["tree", "command"])
def test_between_release_and_gate(deployed: Project, whole_tree: bool) -> None:
    deployed.set_slow_start(4)
    deployed.set_page("Killed before the verdict")
    run = deployed.start("deploy")
    run.until_said("hello", "release", r"^revision 2")
    if whole_tree:
        run.kill_tree()
    else:
        run.kill_command()
    transaction = run.transaction()
    entry = deployed.outside.record()["charts"]["hello"]
    assert (entry["state"], entry["target"]["transaction"]) == ("settling", transaction)
    assert entry["last_good"]["revision"] == 1
    assert not left_behind(run.mark, within=10)
    converges(deployed, "settling", transaction, page="Killed before the verdict")
    report = killed_report(deployed, transaction)
    assert report["outcome"] == "killed"
    assert report["components"]["hello"]["revision"] == 2
    assert deployed.outside.see().revision == 2  # it needed the gate alone


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("delete", "service", "hello"), "Service hello is gone"),
        (("patch", "configmap", "notes", "-p", '{"data": {"by": "hand"}}'), "notes: data.by"),
    ],
    ids=["deleted", "edited"],
)
def test_changed_by_hand_after_a_kill(
    deployed: Project, words: tuple[str, ...], named: str
) -> None:
    """The run was killed before it recorded what Helm created; the manifest says what that was."""
    deployed.write("chart/templates/notes.yaml", NOTES)
    deployed.write("chart/templates/late.yaml", HOOK.replace("pre-upgrade", "post-upgrade"))
    run = deployed.start("deploy")
    run.until(
        "pending-upgrade",
        lambda: any(e["status"] == "pending-upgrade" for e in deployed.outside.history()),
    )
    run.kill_all_but("helm")
    eventually(
        "helm's end", lambda: deployed.outside.history()[-1]["status"] == "deployed", within=40
    )
    assert deployed.outside.record()["charts"]["hello"]["target"]["revision"] == 0
    deployed.outside.kubectl(*words)
    again = deployed.deploy()
    assert f"drift ({named}" in again.reasons("hello").replace("ConfigMap ", "")
    assert deployed.outside.see().revision == 3
    notes = deployed.cluster.get("-n", deployed.name, "configmap", "notes")
    assert notes["data"] == {"by": "the chart"}
    assert "Hello from localloop" in deployed.outside.page()
    assert deployed.deploy().report["outcome"] == "unchanged"


def test_in_the_middle_of_helm(deployed: Project) -> None:
    deployed.write("chart/templates/before.yaml", HOOK)
    deployed.set_page("Helm died half-way")
    run = deployed.start("deploy")
    run.until(
        "pending-upgrade",
        lambda: any(e["status"] == "pending-upgrade" for e in deployed.outside.history()),
    )
    run.kill_tree()
    assert deployed.outside.history()[-1]["status"] == "pending-upgrade"
    assert deployed.outside.record()["charts"]["hello"]["state"] == "settling"
    converges(deployed, "unsettled", run.transaction(), page="Helm died half-way")
    assert deployed.outside.see().revisions[-2:] == ((2, "failed"), (3, "deployed"))


def test_the_command_alone_while_helm_goes_on(deployed: Project) -> None:
    deployed.write("chart/templates/before.yaml", HOOK)
    deployed.set_page("Helm outlived its run")
    run = deployed.start("deploy")
    run.until(
        "pending-upgrade",
        lambda: any(e["status"] == "pending-upgrade" for e in deployed.outside.history()),
    )
    run.kill_command()
    # However Helm ends, the next run waits for it and does not work at the same time.
    converges(deployed, page="Helm outlived its run")
    assert not left_behind(run.mark, within=15)
    assert all(
        e["status"] in ("deployed", "superseded", "failed") for e in deployed.outside.history()
    )


def test_in_the_middle_of_the_first_install(project: Project) -> None:
    hook = HOOK.replace("pre-upgrade", "pre-install,pre-upgrade").replace('"5"', '"3"')
    project.write("chart/templates/before.yaml", hook)
    run = project.start("deploy")
    run.until(
        "pending-install",
        lambda: any(e["status"] == "pending-install" for e in project.outside.history()),
    )
    run.kill_tree()
    converges(project, "unsettled", page="Hello from localloop", reinstalled=True)


def test_during_the_build(deployed: Project) -> None:
    deployed.add_build_step("sleep 5")
    deployed.set_page("Killed in the build")
    run = deployed.start("deploy")
    run.until_said("web", "build", "sleep")
    before = deployed.outside.see()
    run.kill_tree()
    assert deployed.outside.record()["charts"]["hello"]["state"] == "settled"
    assert deployed.outside.see() == before
    converges(deployed, page="Killed in the build")


def test_lock_is_free_after_a_kill(deployed: Project) -> None:
    deployed.set_slow_start(4)
    holder = deployed.start("deploy")
    holder.until_gate()
    deployed.deploy(code=75)
    assert holder.process.poll() is None  # the second one did not wait for it
    holder.kill_tree()
    run = deployed.deploy()
    assert run.report["outcome"] == "deployed"
    eventually("one pod", lambda: len(deployed.outside.pods()) == 1)
