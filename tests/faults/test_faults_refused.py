"""Refusals and missing tools: exit code, position, and nothing changed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.claims import seen_by_inputs
from harness.project import Project

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        pytest.param(
            "    dockerfile: Dockerfile",
            "    dockerfil: Dockerfile",
            (6, 5),
            ("dockerfil", "dockerfile"),
            id="typo",
        ),
        pytest.param("charts:\n", "images: {}\ncharts:\n", (8, 1), ("images",), id="duplicate-key"),
        pytest.param("version: 1", "version: one", (1, 10), ("version",), id="wrong-type"),
        pytest.param(
            "    path: chart\n",
            "    path: [chart]\n",
            (10, 11),
            ("path", "must be text"),
            id="list",
        ),
    ],
)
def test_broken_config(
    deployed: Project, old: str, new: str, place: tuple[int, int], words: tuple[str, ...]
) -> None:
    before, reports = deployed.outside.see(), deployed.reports()
    deployed.edit("localloop.yml", old, new)
    for command in ("deploy", "plan", "status"):
        run = deployed.localloop(command, code=2)
        assert f"localloop.yml:{place[0]}:{place[1]}" in run.text
        assert all(word in run.text for word in words)
        assert "Traceback" not in run.text
    assert deployed.outside.see() == before
    assert deployed.reports() == reports


def test_no_config(deployed: Project) -> None:
    (deployed.root / "localloop.yml").unlink()
    assert "localloop.yml" in deployed.deploy(code=2).text


@contextmanager
def _listening(path: Path, *, then_closed: bool) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.bind(str(path))
        if not then_closed:
            daemon.listen()
        yield


@pytest.mark.parametrize("form", ["absent", "dead", "silent"])
def test_docker_stopped(deployed: Project, tmp_path: Path, form: str) -> None:
    """Its socket does not exist, nothing listens on it, or nothing answers."""
    before = deployed.outside.see()
    path = Path(f"/tmp/localloop-e2e-{form}-{tmp_path.stat().st_ino}.sock")
    env = {"DOCKER_HOST": f"unix://{path}"}
    try:
        if form == "absent":
            run, plan = deployed.deploy(code=1, env=env), deployed.localloop("plan", env=env)
        else:
            with _listening(path, then_closed=form == "dead"):
                run, plan = deployed.deploy(code=1, env=env), deployed.localloop("plan", env=env)
    finally:
        path.unlink(missing_ok=True)
    assert run.seconds < 10
    assert "Docker" in run.text
    assert str(path) in run.text
    assert "make tools" in run.text
    assert "Traceback" not in run.text
    assert plan.seconds < 10
    seen_by_inputs(plan, "cluster cannot be seen (docker_unreachable)")
    assert deployed.outside.see() == before
    assert deployed.deploy().report["outcome"] == "unchanged"


def test_docker_at_a_remote_address_is_refused(deployed: Project) -> None:
    run = deployed.deploy(code=2, env={"DOCKER_HOST": "tcp://127.0.0.1:2375"})
    assert "tcp://127.0.0.1:2375" in run.text


def test_bad_transaction_id_and_report_directory(deployed: Project) -> None:
    before, reports = deployed.outside.see(), deployed.reports()
    assert "DEPLOY_TX_ID" in deployed.deploy(code=2, env={"DEPLOY_TX_ID": "../x"}).text
    assert "DEPLOY_REPORT_DIR" in deployed.deploy(code=2, env={"DEPLOY_REPORT_DIR": "../x"}).text
    assert deployed.outside.see() == before
    assert deployed.reports() == reports
    run = deployed.deploy(env={"DEPLOY_TX_ID": "tx-mine", "DEPLOY_REPORT_DIR": "my/reports"})
    assert run.report_path == deployed.root / "my" / "reports" / "tx-mine.md"
    assert run.report["header"]["transaction_id"] == "tx-mine"


@pytest.mark.parametrize("version", ["", "v3.10.0"])
def test_tool_missing_or_too_old(deployed: Project, tmp_path: Path, version: str) -> None:
    """Without a suitable Helm, a run that would release something is refused before it builds."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    if version:
        (bin_dir / "helm").write_text(f"#!/bin/sh\necho {version}\n")
        (bin_dir / "helm").chmod(0o755)
    env = {"PATH": f"{bin_dir}:/usr/bin:/bin"}
    assert deployed.deploy(env=env).report["outcome"] == "unchanged"
    before = deployed.outside.see()
    deployed.set_page("Without helm")
    run = deployed.deploy(code=2, env=env)
    reason, words = ("tool_too_old:helm", "Helm 3.10.0") if version else ("tool_missing", "PATH")
    assert (run.report["outcome"], run.report["error"]["reason"]) == ("refused", reason)
    assert words in run.text
    assert "Install Helm 3.18.4 or newer" in run.text
    assert deployed.outside.see() == before  # no tag more: nothing was built
    deployed.deploy()
    assert "Without helm" in deployed.outside.page()
    back = deployed.localloop("rollback", code=2, env=env).report
    assert (back["outcome"], back["error"]["reason"]) == ("refused", reason)
    assert deployed.outside.record()["charts"]["hello"]["state"] == "settled"
