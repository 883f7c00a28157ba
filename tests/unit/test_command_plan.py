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
from localloop.fingerprint import stat_cache
from localloop.fingerprint.components import fingerprint_cluster
from localloop.fingerprint.explain import save_manifest
from localloop.fingerprint.hashing import hash_files
from localloop.inputs.walk import FileToHash
from localloop.session import Session, host_platform

FIRST = """\
cluster cannot be seen (docker_unreachable)
COMPONENT  KIND   STEPS                       WHY
app        image  unchecked {app:.16}  {why_app}
other      image  unchecked {other:.16}  {why_other}
web        chart  unchecked {web:.16}  {why_web}
cluster: unchecked (Docker does not answer on {socket}: [Errno 2] No such file or directory)
cluster inputs: unchecked (never_deployed: not from this checkout)
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


def test_an_edit_of_the_cluster_inputs_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fingerprint_cluster(load_project(root, environ={}))
    assert found is not None
    save_manifest(root, found)
    assert main(["plan", "--project", str(root)]) == 0
    same = "cluster inputs: unchecked (inputs_same: as this checkout deployed them last)\n"
    assert same in capsys.readouterr().out
    write(root / "infra/kube.yaml", "k: 2\n")
    assert main(["plan", "--project", str(root)]) == 0
    edited = "cluster inputs: unchecked (inputs_changed: changed infra/kube.yaml)\n"
    assert edited in capsys.readouterr().out


def test_a_pattern_of_the_cluster_inputs_that_matches_nothing_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (root / "localloop.yml").read_text("utf-8")
    write(root / "localloop.yml", config.replace('"infra/**"', '"infra/**", "infar/*.yaml"'))
    assert main(["plan", "--project", str(root)]) == 0
    assert capsys.readouterr().out.count("infar") == 1
    assert main(["plan", "--project", str(root), "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["warnings"] == [
        "localloop.yml:7:32: cluster.inputs: infar/*.yaml matches nothing"
        " (did you mean infra/*.yaml?)"
    ]
    write(root / "localloop.yml", config.replace("infra/**", "infar/*.yaml"))
    assert main(["plan", "--project", str(root)]) == 2
    assert "cluster.inputs: nothing matches infar/*.yaml" in capsys.readouterr().err


def test_a_warning_names_its_component_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = (root / "localloop.yml").read_text("utf-8")
    given = "context: src}"
    write(root / "localloop.yml", config.replace(given, 'context: src, inputs: ["*.c", "*.h"]}'))
    write(root / "src/.dockerignore", "*\n!main.c\n")
    assert main(["plan", "--project", str(root)]) == 0
    shown = capsys.readouterr().out.splitlines()
    warnings = [line for line in shown if line.startswith("warning:")]
    assert warnings == [
        "warning: app: its ignore file re-includes paths with '!', so the declared inputs"
        " replace it",
        "warning: app: inputs: *.h matches nothing",
    ]


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
        "cluster inputs: unchecked (never_deployed: not from this checkout)",
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


def test_nothing_is_written_but_hashes(root: Path) -> None:
    def others() -> list[Path]:
        return sorted(path for path in root.rglob("*") if ".cache" not in path.parts)

    before = others()
    assert main(["plan", "--project", str(root)]) == 0
    assert others() == before
    assert kept(root) <= {"folders", "stat-cache"}


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


@pytest.mark.parametrize(
    ("targets", "skipped"),
    [
        ([], []),
        (["other"], ["app", "web"]),
        (["app"], ["other"]),  # web uses it
        (["web"], ["other"]),
        (["all"], []),
    ],
)
def test_targets_without_a_cluster(
    root: Path, capsys: pytest.CaptureFixture[str], targets: list[str], skipped: list[str]
) -> None:
    assert main(["plan", "--project", str(root), *targets]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows if row[2:] == ["skip", "not_targeted"]] == skipped
    assert [row[0] for row in rows if row[2:3] == ["unchecked"] and row[0] in skipped] == []


@pytest.mark.parametrize(
    ("targets", "registry", "built"),
    [
        ([], "", ["app", "other"]),
        (["other"], "registry: {port: 5017}\n", ["app", "other"]),  # other needs app
        (["web"], "", ["app"]),
    ],
)
def test_bake_without_a_cluster(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    targets: list[str],
    registry: str,
    built: list[str],
) -> None:
    config = (root / "localloop.yml").read_text()
    config = config.replace("context: other}", "context: other, needs: [app]}")
    (root / "localloop.yml").write_text(config + registry)
    assert main(["plan", "--project", str(root), "--bake", *targets]) == 0
    said = capsys.readouterr()
    file = json.loads(said.out)
    assert sorted(file["target"]) == built
    where = "127.0.0.1:5017" if registry else "registry"
    assert file["target"]["app"]["tags"] == [f"{where}/demo/app:tx"]
    assert file["target"]["app"]["args"] == {"MODE": "fast"}
    if "other" in built:
        assert file["target"]["other"]["contexts"] == {"app": "target:app"}
    assert "cluster cannot be seen (docker_unreachable)" in said.err
    assert kept(root) <= {"folders", "stat-cache"}


def kept(root: Path) -> set[str]:
    """What a plan left in the project's cache."""
    return {path.name for path in root.glob(".cache/localloop/[!.]*")}


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("words", [(), ("--inputs",), ("--bake",)])
def test_plans_before_the_first_deploy_read_each_file_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    for number in range(250):
        write(root / f"src/many/{number}", str(number))
    assert main(["plan", "--project", str(root), *words]) == 0
    read: list[FileToHash] = []
    monkeypatch.setattr(
        stat_cache, "hash_files", lambda jobs: [read.extend(jobs), hash_files(jobs)][1]
    )
    assert main(["plan", "--project", str(root), *words]) == 0
    few = names(read)  # a few small files are hashed sooner than looked up
    assert "0" not in few and len(few) < 10
    assert kept(root) == {"folders", "stat-cache"}
    write(root / "src/many/0", "edited")
    assert main(["plan", "--project", str(root), *words]) == 0
    assert names(read) - few == {"0"}


def names(read: list[FileToHash]) -> set[str]:
    return {Path(os.fsdecode(job.path)).name for job in read}


def inputs(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["plan", "--project", str(root), "--inputs", *words, "-o", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {name: {each["what"]: each["why"] for each in listed} for name, listed in found.items()}


def test_inputs_are_listed_with_what_brought_them_in(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        root / "docker/Dockerfile", "FROM alpine:3\nARG MODE\nCOPY main.c /\nCOPY lib* more /x/\n"
    )
    write(root / "src/more/a.c", "x")
    write(root / "src/lib.c", "x")
    write(root / "src/unused.c", "x")
    files = {
        "lib.c": "docker/Dockerfile:4 COPY lib*",
        "main.c": "docker/Dockerfile:3 COPY main.c",
        "more/": "docker/Dockerfile:4 COPY more",
        "more/a.c": "docker/Dockerfile:4 COPY more",
    }
    assert files.items() <= inputs(root, capsys, "app")["app"].items()
    found = inputs(root, capsys)
    assert list(found) == ["app", "cluster", "other", "web"]
    assert "unused.c" not in found["app"]
    assert found["app"]["base image alpine:3"] == "FROM or COPY --from"
    assert found["app"]["build argument MODE"] == "a stage declares it"
    assert found["app"]["docker/Dockerfile"] == "dockerfile"
    assert found["other"]["file"] == "docker/Dockerfile.other:2 COPY ."
    assert found["web"]["templates/a.yaml"] == "path: chart"
    assert found["cluster"]["infra/kube.yaml"] == "inputs: infra/**"


def test_inputs_that_only_seem_to_come_from_the_component(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (root / "localloop.yml").read_text()
    write(
        root / "localloop.yml",
        config.replace("context: src}", "context: src, build_args: {HTTP_PROXY: x}}"),
    )
    chart = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
    write(
        root / "chart/Chart.yaml",
        f"{chart}dependencies: [{{name: a, version: 0.1.0, repository: file://../a}}]\n",
    )
    write(root / "a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 0.1.0\n")
    found = inputs(root, capsys, "app", "web")
    assert found["app"]["build argument HTTP_PROXY"] == "BuildKit knows it"
    assert found["web"]["../a/Chart.yaml"] == "a dependency of chart"
    assert found["web"]["Chart.yaml"] == "path: chart"


def test_declared_inputs_and_a_whole_context_say_so(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (root / "localloop.yml").read_text()
    config = config.replace("context: src}", 'context: src, inputs: ["**/*.c", "!no.c", main.c]}')
    (root / "localloop.yml").write_text(config)
    write(root / "src/more/a.c", "x")
    write(root / "docker/Dockerfile.other", "FROM scratch\nONBUILD COPY . /\n")
    found = inputs(root, capsys)
    assert found["app"]["main.c"] == "inputs: main.c"
    assert found["app"]["more/a.c"] == "inputs: **/*.c"
    assert "the whole context (docker/Dockerfile.other line 2" in found["other"]["file"]


def test_inputs_of_an_unknown_component_are_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--project", str(root), "--inputs", "ap"]) == 2
    assert "Did you mean app?" in capsys.readouterr().err
