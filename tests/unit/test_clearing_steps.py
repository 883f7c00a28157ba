"""The steps of down, prune and rollback refuse to act outside of the transaction that they need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localloop.errors import LocalloopError, UsageError
from localloop.report.journal import Journal
from localloop.steps import chart_rollback, image_prune, project_remove
from localloop.steps.context import Context


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without Docker: what gets so far was not refused."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    for name in ("LOCALLOOP_TRANSACTION", "LOCALLOOP_JOURNAL", "LOCALLOOP_LOCK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "localloop.yml").write_text(
        "version: 1\nproject: demo\nimages: {web: {dockerfile: Dockerfile}}\n"
    )
    return tmp_path


@pytest.fixture
def journal(project: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """An open transaction."""
    opened = Journal("tx-1", project / "journal", project / "lock")
    monkeypatch.setenv("LOCALLOOP_TRANSACTION", opened.id)
    monkeypatch.setenv("LOCALLOOP_JOURNAL", str(opened.path))
    monkeypatch.setenv("LOCALLOOP_LOCK", str(opened.project_lock))
    opened.emit({"event": "opened", "transaction": opened.id})
    return opened


REMOVE_ALL = (project_remove, {"with_cluster": True})
PRUNE = (image_prune, {})
GO_BACK = (chart_rollback, {})
REMOVE = (project_remove, {})


def reason(step: Any, project: Path, given: Mapping[str, Any], *, check: bool = False) -> str:
    """Why a step ended, in a place where none can succeed."""
    defaults = {name: option.get("default") for name, option in step.ARGUMENT_SPEC.items()}
    with pytest.raises(LocalloopError) as caught:
        step.run({**defaults, "project": str(project), **given}, Context(check=check))
    return caught.value.reason


@pytest.mark.parametrize(("step", "given"), [REMOVE_ALL, REMOVE, PRUNE, GO_BACK])
def test_outside_of_a_transaction(project: Path, step: Any, given: dict[str, Any]) -> None:
    assert reason(step, project, given) == "no_transaction"
    assert reason(step, project, given, check=True) == "docker_unreachable"


@pytest.mark.parametrize(("step", "given"), [REMOVE_ALL, PRUNE])
def test_in_a_run_that_shares_the_cluster(
    project: Path, journal: Journal, step: Any, given: dict[str, Any]
) -> None:
    assert reason(step, project, given) == "not_exclusive"
    journal.emit({"event": "exclusive"})
    assert reason(step, project, given) == "docker_unreachable"


@pytest.mark.parametrize(("step", "given"), [REMOVE, GO_BACK])
def test_what_may_share_the_cluster(
    project: Path, journal: Journal, step: Any, given: dict[str, Any]
) -> None:
    assert reason(step, project, given) == "docker_unreachable"


@pytest.mark.parametrize("check", [False, True])
def test_fewer_than_none_cannot_be_kept(project: Path, check: bool) -> None:
    assert reason(image_prune, project, {"keep": -1}, check=check) == "bad_keep"


def test_a_refusal_is_one(project: Path, journal: Journal) -> None:
    with pytest.raises(UsageError, match=r"playbooks/prune\.yml"):
        journal.require_exclusive()
