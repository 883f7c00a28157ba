"""Two runs at once, and Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.claims import unchanged
from harness.processes import left_behind
from harness.project import Project
from harness.run import Running

pytestmark = pytest.mark.cluster

BOTH = pytest.mark.parametrize("group", [True, False], ids=["group", "command"])


def test_second_deploy_while_one_runs(deployed: Project) -> None:
    deployed.set_slow_start(4)
    holder = deployed.start("deploy")
    holder.until_gate()
    busy = deployed.deploy(code=75)
    assert holder.process.poll() is None  # the second one did not wait for it
    assert f"pid {holder.pid}" in busy.text
    assert holder.transaction() in busy.text
    assert str(deployed.root) in busy.text
    # Reading needs no lock.
    assert deployed.localloop("plan").code == 0
    assert deployed.localloop("status").code == 0
    done = holder.end()
    assert done.code == 0
    assert done.report["outcome"] == "deployed"
    before = deployed.outside.see()
    unchanged(deployed.deploy(), deployed.outside, before)


def test_two_projects_at_once(make_project: Callable[..., Project]) -> None:
    projects = [make_project("at-once-one"), make_project("at-once-two")]
    runs = [project.start("deploy") for project in projects]
    for project, run in zip(projects, runs, strict=True):
        done = run.end()
        assert done.code == 0, done.text
        assert "Hello from localloop" in project.outside.page()
        unchanged(project.deploy(), project.outside, project.outside.see())


def interrupted(run: Running, *, group: bool) -> None:
    run.interrupt(group=group)
    done = run.end(within=10)
    assert done.code == 130, done.text
    assert done.report["outcome"] == "interrupted"
    assert done.report["exit_code"] == 130
    assert not left_behind(run.mark)
    assert "Traceback" not in done.text
    assert not list(done.report_path.parent.glob("*.jsonl"))


@BOTH
def test_interrupt_during_the_gate(deployed: Project, group: bool) -> None:
    deployed.set_slow_start(5)
    deployed.set_page("Interrupted in the gate")
    run = deployed.start("deploy")
    run.until_gate()
    interrupted(run, group=group)
    assert deployed.outside.record()["charts"]["hello"]["state"] == "settling"
    again = deployed.deploy()
    assert "settling" in again.reasons("hello")
    after = deployed.outside.see()
    assert "Interrupted in the gate" in after.page
    assert after.revision == 2
    unchanged(deployed.deploy(), deployed.outside, after)


@BOTH
def test_interrupt_during_the_build(deployed: Project, group: bool) -> None:
    before = deployed.outside.see()
    deployed.add_build_step("sleep 5")
    deployed.set_page("Interrupted in the build")
    run = deployed.start("deploy")
    run.until_said("web", "build", "sleep")
    interrupted(run, group=group)
    assert deployed.outside.see() == before
    assert deployed.outside.record()["charts"]["hello"]["state"] == "settled"
    deployed.deploy()
    after = deployed.outside.see()
    assert "Interrupted in the build" in after.page
    unchanged(deployed.deploy(), deployed.outside, after)


def test_interrupt_of_the_playbook_without_the_command(deployed: Project) -> None:
    deployed.set_slow_start(5)
    run = deployed.start_playbook()
    run.until_said("hello", "release", r"^revision 2")
    run.interrupt(group=True)
    done = run.end(within=10)
    assert done.code != 0
    assert done.report["outcome"] == "interrupted"
    assert not left_behind(run.mark)
    assert deployed.deploy().report["outcome"] == "deployed"
    assert deployed.deploy().report["outcome"] == "unchanged"


def test_second_interrupt_is_immediate(deployed: Project) -> None:
    deployed.set_slow_start(5)
    run = deployed.start("deploy")
    run.until_gate()
    run.interrupt(group=True)
    run.interrupt(group=True)
    done = run.end(within=5)
    assert done.code == 130
    assert done.report["outcome"] == "interrupted"
    assert not left_behind(run.mark)
    assert deployed.deploy().report["outcome"] == "deployed"
