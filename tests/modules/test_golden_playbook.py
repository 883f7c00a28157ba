"""Our playbooks through ansible-runner: with --check, for real, and again; without warnings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.outside import eventually
from harness.project import Project
from localloop.ansible.runner import configure, environment

COMPLAINTS = {"warning", "deprecated", "system_warning", "error"}


Play = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def play(project: Project, tmp_path: Path) -> Play:
    """Run a playbook on the project without warnings or failures; returns all events of the run."""
    from ansible_runner import Runner

    runs = iter(range(100))

    def run(playbook: str, *, check: bool = False, **variables: Any) -> list[dict[str, Any]]:
        private = tmp_path / f"run-{next(runs)}"
        private.mkdir()
        events: list[dict[str, Any]] = []
        config = configure(
            playbook,
            private=private,
            environ=environment(
                project.cluster.env(),
                private=private,
                project_root=project.root,
                transaction=None,
                extra={},
                color=False,
            ),
            variables=variables,
        )
        config.command += ["--check", "--diff"] if check else []
        status, code = Runner(
            config, event_handler=lambda event: events.append(event) or False
        ).run()
        assert (status, code) == ("successful", 0), text(events)
        assert complaints(events) == []
        return events

    return run


def text(events: list[dict[str, Any]]) -> str:
    return "\n".join(str(event.get("stdout", "")) for event in events)


def complaints(events: list[dict[str, Any]]) -> list[str]:
    found = [event["stdout"] for event in events if event["event"] in COMPLAINTS]
    for event in events:
        result = event.get("event_data", {}).get("res") or {}
        found += [str(result[key]) for key in ("warnings", "deprecations") if result.get(key)]
        text = str(event.get("stdout", ""))
        found += [text] if "[WARNING]" in text or "[DEPRECATION" in text else []
    return found


def changed(events: list[dict[str, Any]]) -> dict[str, int]:
    (stats,) = (event for event in events if event["event"] == "playbook_on_stats")
    return {host: count for host, count in stats["event_data"]["changed"].items() if count}


def three_times(play: Play, playbook: str, **variables: Any) -> list[dict[str, int]]:
    """What changed with --check, for real, and again."""
    return [changed(play(playbook, check=check, **variables)) for check in (True, False, False)]


@pytest.mark.cluster
def test_deploy(play: Play, project: Project) -> None:
    foreseen = play("deploy-fast.yml", check=True)
    assert project.outside.history() == []
    deployed = play("deploy-fast.yml")
    again = play("deploy-fast.yml")
    assert changed(foreseen) == changed(deployed) == {"web": 1, "hello": 1}
    assert changed(again) == {}


@pytest.mark.cluster
def test_status(play: Play, project: Project) -> None:
    assert "runs nothing; next deploy: never_deployed" in text(play("status.yml"))
    project.deploy()
    reports = project.reports()
    assert three_times(play, "status.yml") == [{}, {}, {}]
    assert "runs revision 1; tx-" in text(play("status.yml"))
    assert project.reports() == reports  # status opens no transaction


@pytest.mark.cluster
def test_rollback(play: Play, project: Project) -> None:
    first = project.deploy().report["header"]["transaction_id"]
    old = project.outside.page()
    project.set_page("Second")
    project.deploy()
    before = project.outside.see()
    foreseen = play("rollback.yml", check=True, rollback_transaction=first)
    assert project.outside.see() == before
    done = play("rollback.yml", rollback_transaction=first)
    assert project.outside.page() == old
    again = play("rollback.yml", rollback_transaction=first)
    assert changed(foreseen) == changed(done) == {"hello": 1}
    assert changed(again) == {}
    assert f"rollback (to {first}, revision 1)" in text(done)
    assert [each["revision"] for each in project.outside.history()] == [1, 2, 3]
    play("rollback.yml")  # by default to what ran before
    assert "Second" in project.outside.page()


@pytest.mark.cluster
def test_down_then_prune_then_deploy(play: Play, project: Project) -> None:
    project.set_page("Bytes that no other project on the cluster uses")
    project.deploy()
    tags = project.outside.tags()
    foreseen = play("down.yml", check=True)
    assert project.outside.see().revisions == ((1, "deployed"),)
    done = play("down.yml")
    assert project.outside.history() == []
    assert project.outside.record() == {}
    assert changed(foreseen) == changed(done) == {"hello": 1}
    assert changed(play("down.yml")) == {}
    assert project.outside.tags() == tags
    eventually("the pods' end", lambda: not project.outside.all_pods())

    foreseen = play("prune.yml", check=True, prune_keep=0)
    assert project.outside.tags() == tags
    assert changed(play("prune.yml", prune_keep=1)) == {}
    done = play("prune.yml", prune_keep=0)
    assert changed(foreseen) == changed(done) == {"web": 1}
    assert project.outside.tags() == frozenset()
    assert changed(play("prune.yml", prune_keep=0)) == {}
    assert project.deploy().report["outcome"] == "deployed"
