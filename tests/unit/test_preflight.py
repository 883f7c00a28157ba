"""What a run refuses to begin without."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.plan.model import ComponentPlan, Plan
from localloop.plan.preflight import require_helm, require_tools
from localloop.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "localloop.yml").write_text(
        "version: 1\nproject: demo\ncharts: {web: {path: chart, namespace: app}}\n"
    )
    project = load_project(tmp_path, environ={})
    found = SimpleNamespace(project=project, kubeconfig=tmp_path / "k", cluster_name="demo")
    return cast("Session", found)


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a fake helm goes; each start of it leaves a line beside it."""
    found = tmp_path / "bin" / "helm"
    found.parent.mkdir()
    monkeypatch.setenv("PATH", str(found.parent))
    return found


def install(binary: Path, version: str) -> None:
    binary.write_text(f"#!/bin/sh\necho started >> {binary}.log\necho {version}\n")
    binary.chmod(0o755)


def starts(binary: Path) -> int:
    log = binary.with_name("helm.log")
    return len(log.read_text().splitlines()) if log.exists() else 0


def planned(*steps: str, verdict: str = "ok") -> Plan:
    parts = {"web": ComponentPlan("web", "chart", steps=steps)}
    return Plan("demo", "/", "", "auto", (), {"verdict": verdict}, parts)


@pytest.mark.parametrize(
    ("plan", "refused"),
    [
        (planned("release"), True),
        (planned("rollback"), True),
        (planned(verdict="create"), True),
        (planned(verdict="bootstrap"), True),
        (planned("settle"), False),
        (planned(), False),
        (planned(verdict="start"), False),
    ],
)
def test_missing(session: Session, binary: Path, plan: Plan, refused: bool) -> None:
    if not refused:
        require_tools(session, plan)
        return
    with pytest.raises(UsageError, match=r"helm is not on PATH\n  Install Helm 3\.18\.4") as caught:
        require_tools(session, plan)
    assert (caught.value.reason, caught.value.exit_code) == ("tool_missing", 2)


def answering(session: Session, *components: str, rootless: bool = False) -> Session:
    """The session, with what Docker's socket says of itself."""
    options = ["name=rootless"] if rootless else []
    session.docker = SimpleNamespace(  # type: ignore[assignment]
        version=lambda: {"Components": [{"Name": name} for name in components]},
        info=lambda: {"SecurityOptions": options},
    )
    return session


@pytest.mark.parametrize("verdict", ["create", "bootstrap"])
@pytest.mark.parametrize(
    ("version", "reason"), [("", "tool_missing"), ("kind v0.27.0 go1.24", "tool_too_old:kind")]
)
def test_a_new_cluster_needs_kind(
    session: Session, binary: Path, verdict: str, version: str, reason: str
) -> None:
    install(binary, "v4.1.4")
    if version:
        install(binary.with_name("kind"), version)
    with pytest.raises(UsageError, match=r"go install sigs.k8s.io/kind@v0\.33") as caught:
        require_tools(answering(session, "Engine"), planned(verdict=verdict))
    assert (caught.value.reason, caught.value.exit_code) == (reason, 2)


@pytest.mark.parametrize(
    ("components", "rootless", "refused"),
    [(["Engine"], False, ""), (["Engine"], True, ""), (["Podman Engine"], False, "Podman")],
)
def test_a_new_cluster_needs_docker(
    session: Session, binary: Path, components: list[str], rootless: bool, refused: str
) -> None:
    install(binary, "v4.1.4")
    install(binary.with_name("kind"), "kind v0.33.0 go1.26.8 linux/amd64")
    made = answering(session, *components, rootless=rootless)
    if not refused:
        require_tools(made, planned(verdict="create"))
        return
    with pytest.raises(UsageError, match=refused) as caught:
        require_tools(made, planned(verdict="create"))
    assert caught.value.reason == "runtime_refused"


@pytest.mark.parametrize("version", ["v3.10.0", "v3.18.3", "v2.17.0"])
def test_too_old(session: Session, binary: Path, version: str) -> None:
    install(binary, version)
    for _ in range(2):
        with pytest.raises(UsageError, match=rf"helm is Helm {version[1:]}\n") as caught:
            require_helm(session)
        assert (caught.value.reason, caught.value.exit_code) == ("tool_too_old:helm", 2)
        assert "3.18.4 or newer" in (caught.value.hint or "")


def test_asked_once_a_binary(session: Session, binary: Path) -> None:
    install(binary, "v3.18.4")
    require_helm(session)
    require_helm(session)
    assert starts(binary) == 1
    install(binary, "v4.1.4+g05fa379")
    require_helm(session)
    require_helm(session)
    assert starts(binary) == 2


@pytest.mark.parametrize("kept", ["", "[]", '{"key": "KEY", "major": 4}', '{"key": "KEY"}'])
def test_damaged_or_earlier_cache(session: Session, binary: Path, kept: str) -> None:
    install(binary, "v4.1.4")
    cache = session.project.root / ".cache/localloop/helm-version.json"
    require_helm(session)
    key = cache.read_text().split('"key": "')[1].split('"')[0]
    cache.write_text(kept.replace("KEY", key))
    require_helm(session)
    assert starts(binary) == 2
