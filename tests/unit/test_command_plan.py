"""``localloop plan`` without Docker and a cluster: what follows from the inputs alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from print_project import prints, write

from localloop.__main__ import main
from localloop.config.project import load_project
from localloop.fingerprint.explain import save_manifest
from localloop.session import Session, host_platform

FIRST = """\
cluster cannot be seen (docker_unreachable)
COMPONENT  KIND   STEPS                       WHY
app        image  unchecked {app:.16}  {why_app}
other      image  unchecked {other:.16}  {why_other}
web        chart  unchecked {web:.16}  {why_web}
cluster: unchecked (Docker does not answer on {socket}: [Errno 2] No such file or directory)
platform: unchecked (the host's {platform} is used)
base: unchecked (app: alpine:3)
"""


@pytest.fixture(autouse=True)
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "no-buildx"))
    return f"{tmp_path}/none"


def values(root: Path, **more: Any) -> dict[str, str]:
    options = {"platform": host_platform(), "base_digests": {}, **more}
    return {name: prints(root, name, **options).value for name in ("app", "other", "web")}


def deployed(root: Path) -> None:
    """Keep the inputs as a deploy does; it knows the base image's digest."""
    for name in ("app", "other", "web"):
        options = {"platform": host_platform(), "base_digests": {"alpine:3": "sha256:aa"}}
        save_manifest(root, prints(root, name, **options))


def test_never_deployed(root: Path, no_docker: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--project", str(root)]) == 0
    why = "never_deployed (not from this checkout)"
    assert capsys.readouterr().out == FIRST.format(
        **values(root),
        why_app=why,
        why_other=why,
        why_web=why,
        socket=no_docker,
        platform=host_platform(),
    )


def test_what_changed_since_the_last_deploy(
    root: Path, no_docker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(root)
    write(root / "src/main.c", "other")
    write(root / "src/more/new.c", "other")
    write(root / "docker/Dockerfile.other", "FROM scratch\nCOPY file /\n")
    assert main(["plan", "--project", str(root), "--diff"]) == 0
    shown = capsys.readouterr().out
    assert "inputs_changed (changed main.c; added more/new.c)\n" in shown
    assert "inputs_changed (Dockerfile" in shown
    assert "inputs_same (as this checkout deployed them last)\n" in shown
    assert shown.endswith("A app more/new.c\nM app main.c\n* other Dockerfile\n")
    assert "base: unchecked (app: alpine:3)" in shown


def test_base_image_that_cannot_be_looked_at_is_taken_from_the_last_build(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(root)
    assert main(["plan", "--project", str(root), "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    known = values(root, base_digests={"alpine:3": "sha256:aa"})
    assert {name: part["fingerprint"] for name, part in shown["components"].items()} == known
    assert {part["skip"] for part in shown["components"].values()} == {"unchecked"}
    assert shown["unchecked"][1:] == [
        f"platform: unchecked (the host's {host_platform()} is used)",
        "base: unchecked (app: alpine:3)",
    ]
    assert shown["cluster"] == {"verdict": "unknown", "reason": "docker_unreachable"}


def test_all_changed_files_are_named_by_diff(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(root)
    for number in range(40):
        write(root / f"src/{number:02}", "x")
    assert main(["plan", "--project", str(root), "--diff"]) == 0
    shown = capsys.readouterr().out
    assert "added 00, 01, 02 and 37 more" in shown
    assert [f"A app {number:02}" for number in range(40)] == [
        line for line in shown.splitlines() if line.startswith("A ")
    ]


def test_untracked_inputs_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "# syntax=docker/dockerfile:1\nFROM alpine:3\nADD https://e.invalid/x /x\n"
    write(root / "docker/Dockerfile", text)
    assert main(["plan", "--project", str(root)]) == 0
    shown = capsys.readouterr().out
    assert "not tracked: app: ADD https://e.invalid/x\n" in shown
    assert "not tracked: app: the frontend docker/dockerfile:1 (# syntax=)\n" in shown


def test_nothing_is_written(root: Path) -> None:
    before = sorted(root.rglob("*"))
    assert main(["plan", "--project", str(root)]) == 0
    assert sorted(root.rglob("*")) == before


def test_unknown_target_is_refused_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--project", str(root), "ap"]) == 2
    assert "Did you mean app?" in capsys.readouterr().err


def test_name_that_is_not_utf8_ends_in_one_clear_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root / "src" / os.fsdecode(b"bad\xff.c"), "x")
    assert main(["plan", "--project", str(root)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        r"error: the name bad\xff.c is not UTF-8, so BuildKit cannot take it",
        "  rename it, or add its directory to the ignore file",
    ]


def test_session_of_an_unseen_docker_asks_it_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")  # raises if it is asked
    project = load_project(root, environ={})
    session = Session(project, {}, platform="linux/amd64", writes=False, blind=True)
    assert session.fingerprints.missing_bases(project.images["app"]) == ["alpine:3"]
    assert not session.fingerprints.pull_bases(project.images["app"])


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("chart/values.yaml", "a:\n  b: 1\n c: 2\n", "error: chart/values.yaml:3: not valid YAML"),
        ("chart/Chart.yaml", "name: [\n", "error: chart/Chart.yaml:1: not valid YAML"),
        ("m/a.yaml", "metadata:\n  name: a\n data: {}\n", "error: m/a.yaml:3: not valid YAML"),
        ("m/a.yaml", "kind: Pod\n", "error: m/a.yaml:1: not a Kubernetes object: it has no api"),
    ],
)
def test_a_broken_file_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str], path: str, text: str, said: str
) -> None:
    raw = "  raw: {manifests: [m], namespace: raw}\n"
    config = (root / "localloop.yml").read_text()
    (root / "localloop.yml").write_text(config.replace("charts:\n", f"charts:\n{raw}"))
    write(root / "m/fine.yaml", "# nothing yet\n")
    write(root / path, text)
    assert main(["plan", "--project", str(root)]) == 2
    assert said in capsys.readouterr().err
