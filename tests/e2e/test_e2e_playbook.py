"""``ansible-playbook playbooks/deploy-fast.yml``: the same loop without the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.claims import agrees, everything
from harness.project import Project

pytestmark = pytest.mark.cluster


def test_the_same_loop_with_the_same_report(project: Project) -> None:
    run = project.playbook()
    first = project.outside.see()
    assert "Hello from localloop" in first.page
    assert first.revisions == ((1, "deployed"),)
    assert {host: counts["changed"] for host, counts in run.recap().items()} == {
        "web": 1,
        "hello": 1,
    }
    by_command = Project(project.root.parent / "by-command", f"{project.name}-c", project.cluster)
    twin = by_command.deploy()
    assert _shape(run.report) == _shape(twin.report)
    by_command.localloop("down")

    # Neither of them has anything left to do.
    quiet = project.playbook()
    assert {counts["changed"] for counts in quiet.recap().values()} == {0}
    assert quiet.report["outcome"] == "unchanged"
    assert project.outside.see() == first
    assert project.deploy().report["outcome"] == "unchanged"

    # A page edit: exactly the image's and the chart's hosts report a change.
    project.set_page("By a playbook")
    edited = project.playbook()
    second = project.outside.see()
    assert "By a playbook" in second.page
    assert {host for host, counts in edited.recap().items() if counts["changed"]} == {
        "web",
        "hello",
    }
    agrees(edited, project.outside, first, second)

    # A chart edit: only the chart's.
    project.append("chart/values.yaml", "unused: 1\n")
    charted = project.playbook()
    third = project.outside.see()
    assert {host for host, counts in charted.recap().items() if counts["changed"]} == {"hello"}
    agrees(charted, project.outside, second, third)


def _shape(value: Any) -> Any:
    """A report's keys, without values; only the command measures its playbook."""
    if isinstance(value, dict):
        hidden = ("changes", "playbook")
        return {key: _shape(found) for key, found in value.items() if key not in hidden}
    return type(value).__name__


def test_check_changes_and_writes_nothing_and_shows_the_plan(deployed: Project) -> None:
    deployed.set_page("Only planned")
    before = everything(deployed)
    run = deployed.playbook("--check", "--diff")
    assert everything(deployed) == before
    assert {host: counts["changed"] for host, counts in run.recap().items()} == {
        "web": 1,
        "hello": 1,
    }
    assert "site/index.html" in run.text
    assert "build, publish" in run.text
    assert "Report:" not in run.text
    assert "Hello from localloop" in deployed.outside.page()


def test_limit(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.set_page("Limited to web")
    run = deployed.playbook("--limit", "web")
    after = deployed.outside.see()
    # A step acts on the plan: the chart that uses the image is released as well.
    assert "Limited to web" in after.page
    assert after.revision == before.revision + 1
    assert set(run.recap()) == {"web"}
    assert run.recap()["web"]["changed"] == 1
    assert "targeted" in run.reasons("web")
    agrees(run, deployed.outside, before, after)


def test_broken_config_and_held_lock(project: Project) -> None:
    ansible_alone = project.playbook("--syntax-check").seconds
    project.set_slow_start(6)
    holder = project.start("deploy")
    holder.until_gate()
    run = project.playbook(code=75)
    assert run.seconds < ansible_alone + 2
    assert f"pid {holder.pid}" in run.text
    assert holder.transaction() in run.text
    assert holder.end().code == 0

    before, reports = project.outside.see(), project.reports()
    project.append("localloop.yml", "\nreadines: {timeout: 3}\n")
    run = project.playbook(code=None)
    assert run.code != 0
    assert "readiness" in run.text
    assert "localloop.yml" in run.text
    assert project.outside.see() == before
    assert project.reports() == reports


def test_from_another_directory(deployed: Project, tmp_path: Path) -> None:
    import subprocess
    import sys

    from harness.project import REPOSITORY

    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            str(REPOSITORY / "playbooks/deploy-fast.yml"),
        ],
        cwd=deployed.root,
        env={**deployed.cluster.env(), "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
