"""deploy-fast.yml through ansible-runner: with --check, for real, again; no word of warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.project import Project
from localloop.ansible.runner import configure, environment

COMPLAINTS = {"warning", "deprecated", "system_warning", "error"}


def play(project: Project, private: Path, *, check: bool = False) -> list[dict[str, Any]]:
    """All events of one run, which has to succeed."""
    from ansible_runner import Runner

    private.mkdir()
    events: list[dict[str, Any]] = []
    config = configure(
        "deploy-fast.yml",
        private=private,
        environ=environment(
            project.cluster.env(),
            private=private,
            project_root=project.root,
            transaction=None,
            extra={},
            color=False,
        ),
    )
    config.command += ["--check", "--diff"] if check else []
    status, code = Runner(config, event_handler=lambda event: events.append(event) or False).run()
    text = "\n".join(str(event.get("stdout", "")) for event in events)
    assert (status, code) == ("successful", 0), text
    return events


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


@pytest.mark.cluster
def test_the_golden_playbook(project: Project, tmp_path: Path) -> None:
    foreseen = play(project, tmp_path / "check", check=True)
    assert project.outside.history() == []
    deployed = play(project, tmp_path / "real")
    again = play(project, tmp_path / "again")
    assert changed(foreseen) == changed(deployed) == {"web": 1, "hello": 1}
    assert changed(again) == {}
    for events in (foreseen, deployed, again):
        assert complaints(events) == []
