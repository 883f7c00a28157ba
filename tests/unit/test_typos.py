"""Names that a build or a release would ignore in silence are named by `plan`, with their line."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from print_project import write

from localloop.__main__ import main

CONFIG = """\
version: 1
project: demo
profiles:
  fast: {build_args: {MODE: fast, MOED: fast}}
default_profile: fast
images:
  app:
    dockerfile: Dockerfile
    target: final
    build_args:
      MODE: "1"
      UNUSED_STAGE: "1"
      VERSOIN: "1"
      HTTP_PROXY: http://x
      TARGETARCH: arm64
    unhashed_args: {COMIT: x}
    cache_scope: [Cargo.lock, crates/cargo.lock]
"""
DOCKERFILE = """\
ARG MODE
FROM scratch AS unused
ARG UNUSED_STAGE
FROM scratch AS final
ARG "VERSION=1"
ARG COMMIT
COPY site/indxe.html /
COPY ["Cargo.lock", "yarn.lock*", "/"]
COPY site/*.pyy /
COPY sitte/index.html site/index.html /
ADD https://e.invalid/x /x
COPY <<EOF /y
text
EOF
COPY site/left-out.txt /
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "no-buildx"))
    root = tmp_path / "p"
    write(root / "localloop.yml", CONFIG)
    write(root / "Dockerfile", DOCKERFILE)
    write(root / "Cargo.lock", "x")
    write(root / "crates/Cargo.lock", "x")
    write(root / "site/index.html", "x")
    write(root / "site/left-out.txt", "x")
    write(root / ".dockerignore", "site/left-out.txt\n")
    return root


def named(root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["plan", "--project", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["plan", "--project", str(root), "-o", "json"]) == 0
    found: list[str] = json.loads(capsys.readouterr().out)["warnings"]
    assert {f"warning: {each}" for each in found} <= set(lines)
    return found


def test_what_a_build_ignores(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none, no_stage = "no Dockerfile declares", "no stage of Dockerfile declares"
    assert named(project, capsys) == [
        f"localloop.yml:4:35: {none} the build argument MOED (did you mean MODE?)",
        "localloop.yml:17:31: there is no file crates/cargo.lock (did you mean crates/Cargo.lock?)",
        f"localloop.yml:13:7: {no_stage} the build argument VERSOIN (did you mean VERSION?)",
        f"localloop.yml:16:21: {no_stage} the build argument COMIT (did you mean COMMIT?)",
        "localloop.yml:17:5: no stage of Dockerfile takes the scope: none declares ARG"
        " LOCALLOOP_CACHE_SCOPE; cache_scope_arg names another one",
        "Dockerfile:7: COPY site/indxe.html: the build context has no site/indxe.html"
        " (did you mean site/index.html?)",
        "Dockerfile:9: COPY site/*.pyy: the build context has no site/*.pyy",
        "Dockerfile:10: COPY sitte/index.html: the build context has no sitte/index.html"
        " (did you mean site/index.html?)",
        "Dockerfile:15: COPY site/left-out.txt: the ignore file or `inputs` leaves it out of the"
        " build context",
    ]


def test_the_scopes_argument_may_have_another_name(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CONFIG.replace("    cache_scope:", "    cache_scope_arg: COMMIT\n    cache_scope:")
    write(project / "localloop.yml", config)
    assert not [line for line in named(project, capsys) if "scope" in line and "takes" in line]


@pytest.mark.parametrize(
    "dockerfile",
    ["# syntax=example.org/other:1\nFROM scratch\n", "FROM scratch\nCOPY . /\nARG\n"],
)
def test_what_cannot_be_known_is_not_named(
    project: Path, capsys: pytest.CaptureFixture[str], dockerfile: str
) -> None:
    write(project / "Dockerfile", dockerfile)
    config = CONFIG.replace("    target: final\n", "").replace(", crates/cargo.lock", "")
    write(project / "localloop.yml", config)
    found = named(project, capsys)
    assert [line for line in found if "syntax" in dockerfile and "argument" in line] == []
    assert [line for line in found if "COPY" in line] == []


CHART = """\
version: 1
project: demo
cluster: {inputs: [Dockerfile, infar/**]}
charts:
  web:
    path: chart
    namespace: demo
    values: {added: {here: 1}, free: {other: 1}}
    values_files: [more.yaml]
    generate: [auth.pasword, db.auth.password, free.any, read.only, read.onl]
    keep_values: [auth.password, added.here, more.here, remote.x, global.y, inner.size, inner.siez]
"""


def test_paths_that_the_chart_does_not_have(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "localloop.yml", CHART)
    write(project / "infra/a")
    write(project / "more.yaml", "more: {here: 1}\n")
    chart = project / "chart"
    dependencies = "dependencies: [{name: postgres, alias: db}, {name: remote}]\n"
    write(chart / "Chart.yaml", f"apiVersion: v2\nname: web\nversion: 0.1.0\n{dependencies}")
    write(chart / "values.yaml", "auth: {password: x}\nfree: {}\n")
    write(chart / "templates/a.yaml", "a: {{ .Values.read.only }}\n")
    write(chart / "charts/inner/Chart.yaml", "apiVersion: v2\nname: inner\nversion: 0.1.0\n")
    write(chart / "charts/inner/values.yaml", "size: 1\n")
    assert named(project, capsys) == [
        "localloop.yml:3:32: cluster.inputs: infar/** matches nothing (did you mean infra/**?)",
        "localloop.yml:10:16: chart has no value auth.pasword (did you mean auth.password?)",
        "localloop.yml:10:69: chart has no value read.onl",
        "localloop.yml:11:89: chart has no value inner.siez (did you mean inner.size?)",
    ]


def test_values_of_the_charts_in_a_chart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Packed, under an alias, beside the chart, and in charts of charts; read only by templates."""
    chart = project / "chart"
    about = "apiVersion: v2\nname: {}\nversion: 0.1.0\n{}"
    db = "{name: postgres, alias: db, version: 0.1.0}"
    common = "{name: common, repository: 'file://../common'}"
    write(chart / "Chart.yaml", about.format("web", f"dependencies: [{db}, {common}]\n"))
    write(project / "common/Chart.yaml", about.format("common", ""))
    write(project / "common/values.yaml", "token: x\n")
    packed = project / "packed/postgres"
    write(packed / "Chart.yaml", about.format("postgres", ""))
    write(packed / "values.yaml", "auth: {password: x}\n")
    write(packed / "templates/a.yaml", "a: {{ .Values.read.only }}\n")
    write(packed / "charts/deep/Chart.yaml", about.format("deep", ""))
    write(packed / "charts/deep/values.yaml", "size: 1\n")
    (chart / "charts").mkdir()
    with tarfile.open(chart / "charts/postgres-0.1.0.tgz", "w:gz") as package:
        package.add(packed, "postgres")
    write(chart / "charts/broken-0.1.0.tgz", "no package")
    paths = (
        *("db.auth.password", "postgres.read.only", "db.deep.size", "common.token"),
        *("db.auth.pasword", "db.deep.siez", "common.tokn", "db.read.onl"),
    )
    config = CHART.replace("infar/**", "infra/**").replace("    values_files: [more.yaml]\n", "")
    config = config[: config.index("    generate")] + f"    generate: [{', '.join(paths)}]\n"
    write(project / "infra/a")
    write(project / "localloop.yml", config)
    assert [line.partition(": ")[2] for line in named(project, capsys)] == [
        "chart has no value db.auth.pasword (did you mean db.auth.password?)",
        "chart has no value db.deep.siez (did you mean db.deep.size?)",
        "chart has no value common.tokn (did you mean common.token?)",
        "chart has no value db.read.onl",
    ]


def test_odd_charts_name_nothing_and_raise_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CHART.replace("infar/**", "Dockerfile").replace(
        "    values: {added: {here: 1}, free: {other: 1}}\n", ""
    )
    config = config.replace("    values_files: [more.yaml]\n", "")
    write(
        project / "localloop.yml", config[: config.index("    generate")] + "    generate: [a.b]\n"
    )
    for about in ("dependencies: 5", "dependencies: [5, {}, {name: [a]}]", "dependencies: {a: b}"):
        text = f"apiVersion: v2\nname: web\nversion: 0.1.0\n{about}\n"
        write(project / "chart/Chart.yaml", text)
        for values in ("", "a:", "a: {}", "a: {b: }", "a: {b: {c: 1}}", "1: 2\na: {b: 1}"):
            write(project / "chart/values.yaml", values)
            assert len(named(project, capsys)) == (values == "")
        write(project / "chart/values.yaml", "a: [b]")
        assert len(named(project, capsys)) == 1
