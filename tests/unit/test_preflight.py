"""What a run refuses to begin without."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from real_helm import needs_helm

from localloop.cluster.route import OURS
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.plan.model import ComponentPlan, Plan, Step
from localloop.plan.preflight import require_charts, require_helm, require_tools
from localloop.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "localloop.yml").write_text(
        "version: 1\nproject: demo\ncharts: {web: {path: chart, namespace: app}}\n"
    )
    project = load_project(tmp_path, environ={})
    found = SimpleNamespace(
        project=project,
        kubeconfig=tmp_path / "k",
        cluster_name="demo",
        context="kind-demo",
        provider=SimpleNamespace(owns=True),
        route=OURS,
    )
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


def with_images(session: Session) -> Session:
    """The session of a project with an image of a Dockerfile, and one of a command."""
    (session.project.root / "localloop.yml").write_text(
        "version: 1\nproject: demo\nimages:\n  web: {dockerfile: Dockerfile}\n"
        "  api: {build: {command: [./make, api]}, inputs: [src]}\n"
    )
    session.project = load_project(session.project.root, environ={})
    return session


def building(name: str, verdict: str = "ok") -> Plan:
    parts = {name: ComponentPlan(name, "image", steps=("build", "publish"))}
    return Plan("demo", "/", "", "auto", (), {"verdict": verdict}, parts)


def install_docker(binary: Path, answer: str) -> Path:
    docker = binary.with_name("docker")
    docker.write_text(f"#!/bin/sh\necho started >> {binary}.log\n{answer}\n")
    docker.chmod(0o755)
    return docker


NO_PLUGIN = "echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1"
OLD_PLUGIN = "echo github.com/docker/buildx v0.11.2 abc"
PLUGIN = "echo github.com/docker/buildx v0.13.1 abc"


@pytest.mark.parametrize(
    ("docker", "said"),
    [
        ("", "tool_missing: docker is not on PATH"),
        (NO_PLUGIN, "tool_missing: docker has no usable plugin buildx: docker: 'buildx' is not"),
        (OLD_PLUGIN, "tool_too_old:buildx: docker buildx is 0.11.2"),
        (PLUGIN, ""),
    ],
)
@pytest.mark.parametrize("plan", [building("web"), planned(verdict="create"), building("api")])
def test_a_dockerfile_needs_buildx(
    session: Session, binary: Path, docker: str, said: str, plan: Plan
) -> None:
    install(binary, "v4.1.4")
    install(binary.with_name("kind"), "kind v0.33.0 go1.26.8 linux/amd64")
    if docker:
        install_docker(binary, docker)
    made = with_images(answering(session, "Engine"))
    if not said or "api" in plan.components:
        require_tools(made, plan)
        return
    with pytest.raises(UsageError) as caught:
        require_tools(made, plan)
    assert caught.value.exit_code == 2
    assert f"{caught.value.reason}: {caught.value.message}".startswith(said)
    assert "Docker" in str(caught.value.hint) or "Install buildx 0.12" in str(caught.value.hint)


@pytest.mark.parametrize("found", [True, False])
def test_buildx_is_asked_once_where_its_plugin_is_found(
    session: Session,
    binary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: bool,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setattr("localloop.system.buildx._FOLDERS", ())
    install_docker(binary, PLUGIN)
    plugin = tmp_path / "docker/cli-plugins/docker-buildx"
    if found:
        plugin.parent.mkdir(parents=True)
        plugin.write_text("one")
    made = with_images(session)
    for _ in range(3):
        require_tools(made, building("web"))
    assert starts(binary) == (1 if found else 3)
    if found:  # another plugin
        plugin.write_text("two, which is missing something")
        install_docker(binary, NO_PLUGIN)
        with pytest.raises(UsageError, match="no usable plugin buildx"):
            require_tools(made, building("web"))


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


@needs_helm
@pytest.mark.parametrize("steps", [("release",), ()])
def test_dependencies_that_cannot_be_built_are_refused_if_the_chart_is_released(
    session: Session, steps: tuple[Step, ...]
) -> None:
    chart = session.project.root / "chart"
    chart.mkdir()
    text = "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{name: gone, version: '1'}]\n"
    (chart / "Chart.yaml").write_text(text)
    part = ComponentPlan("web", "chart", steps=steps)
    plan = Plan("demo", "/p", "", "auto", (), {"verdict": "ok", "reason": ""}, {"web": part})
    if not steps:
        require_charts(session, plan)
        return
    with pytest.raises(UsageError, match="gone") as caught:
        require_charts(session, plan)
    assert caught.value.reason == "dependencies_failed:web"
    assert not (chart / "charts").exists()
