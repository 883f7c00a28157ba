"""Whole commands against a decoy: it receives nothing that it was not allowed to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from decoy import Authority, Decoy

from localloop.__main__ import main
from localloop.system.paths import state_dir

COMMANDS = (
    ["deploy"],
    ["plan"],
    ["status"],
    ["bootstrap", "--reuse-ok"],
    ["down"],
    ["rollback"],
    ["prune"],
)
SERVER = "https://203.0.113.7:6443"


@pytest.fixture
def decoy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoy]:
    with Decoy(Authority("decoy CA")) as found:
        found.everywhere(monkeypatch)
        yield found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project for a context ``kind-x``; a program of its own ``login`` would be started."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-docker.sock")
    monkeypatch.delenv("CLUSTER_NAME", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "login").write_text("#!/bin/sh\ntouch started\n")
    (folder / "login").chmod(0o755)
    write(folder, SERVER)
    return folder


def write(folder: Path, server: str, **cluster: object) -> None:
    config = {"version": 1, "project": "demo"}
    keys = {"context": "kind-x", "kubeconfig": "./config", **cluster}
    (folder / "localloop.yml").write_text(yaml.safe_dump({**config, "cluster": keys}))
    plugin = {"command": str(folder / "login"), "apiVersion": "client.authentication.k8s.io/v1"}
    document = {
        "current-context": "kind-x",
        "contexts": [{"name": "kind-x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"exec": plugin}}],
    }
    (folder / "config").write_text(yaml.safe_dump(document))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_server_elsewhere(
    command: list[str], decoy: Decoy, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    assert main([*command, "--project", str(project)]) == 2
    assert time.monotonic() - started < 1
    said = capsys.readouterr()
    for text in ("kind-x", SERVER, f'cluster: {{allow_server: ["{SERVER}"]}}'):
        assert text in said.err + said.out
    assert decoy.connections == 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_program_that_is_not_allowed(
    command: list[str], decoy: Decoy, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, SERVER, allow_server=[SERVER])
    assert main([*command, "--project", str(project)]) == 2
    said = capsys.readouterr()
    assert "allow_exec" in said.err + said.out
    assert decoy.connections == 0
    assert not (project / "started").exists()
    assert not (Path(os.getcwd()) / "started").exists()  # noqa: PTH109
    frozen = state_dir() / "frozen"
    assert not frozen.exists() or not list(frozen.iterdir())
