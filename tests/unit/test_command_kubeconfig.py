"""``localloop kubeconfig``, and what ``down --cluster`` says about the user's own kubeconfig."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from localloop.__main__ import main
from localloop.commands import down, kubeconfig
from localloop.commands.console import Console

CONTEXT = "kind-hello"


class FakeSession:
    """A session whose cluster is there, or not."""

    verdict = "ok"
    kubeconfig = Path()

    def __init__(self, project: Any, _environ: Any, *, writes: bool) -> None:
        assert not writes
        self.cluster_name = project.cluster.name
        self.cluster = SimpleNamespace(verdict=self.verdict)
        self.kube = SimpleNamespace(config=SimpleNamespace(context=CONTEXT))
        self.provider = SimpleNamespace(owns=True)
        self.context = CONTEXT


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "localloop.yml").write_text("version: 1\nproject: hello\n")
    document = {
        "clusters": [{"name": CONTEXT, "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": CONTEXT, "user": {}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(document))
    monkeypatch.setattr(FakeSession, "kubeconfig", tmp_path / "kubeconfig")
    monkeypatch.setattr(kubeconfig, "Session", FakeSession)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path


def run(place: Path, *words: str) -> int:
    return main(["kubeconfig", "--project", str(place), *words])


def test_the_path_and_nothing_else(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place) == 0
    assert capsys.readouterr().out == f"{place}/kubeconfig\n"
    assert run(place, "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "path": f"{place}/kubeconfig",
        "context": CONTEXT,
    }


def test_merged_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = place / "home/.kube/config"
    assert run(place, "--merge") == 0
    assert f"{theirs} now has the context {CONTEXT}" in capsys.readouterr().out
    assert theirs.exists()
    assert run(place, "--merge", "-o", "json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["merged"] == {"path": str(theirs), "changed": False}
    assert "already has the context" in err


def test_no_cluster(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeSession, "verdict", "create")
    for words in ((), ("--merge",)):
        assert run(place, *words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "no cluster hello" in err and "localloop bootstrap" in err
    assert not (place / "home").exists()


def test_down_tells_of_the_users_entry(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    down.say_what_the_user_has(Console(), CONTEXT)
    assert capsys.readouterr().out == ""
    assert run(place, "--merge") == 0
    capsys.readouterr()
    down.say_what_the_user_has(Console(), CONTEXT)
    path = place / "home/.kube/config"
    assert capsys.readouterr().out.splitlines() == [
        f"{path} still has the context {CONTEXT}. To remove it:",
        f"  kubectl config delete-context {CONTEXT} --kubeconfig {path}",
        f"  kubectl config delete-cluster {CONTEXT} --kubeconfig {path}",
        f"  kubectl config delete-user {CONTEXT} --kubeconfig {path}",
    ]
