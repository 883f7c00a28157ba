"""File names in output: on one line, without control bytes, in UTF-8."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from print_project import CONFIG, prints, write

from localloop.__main__ import main
from localloop.commands.progress import Progress
from localloop.config.project import load_project
from localloop.errors import LocalloopError
from localloop.fingerprint.explain import (
    explain,
    last_deployed,
    load_manifest,
    save_manifest,
    summary_of,
)
from localloop.observe.facts import Request
from localloop.plan.model import ComponentPlan, Reason
from localloop.plan.summary import component_summary
from localloop.plan.unseen import with_inputs, without_cluster
from localloop.report.content import build_report
from localloop.report.markdown import render
from localloop.session import Session, host_platform
from localloop.steps.component_report import run

NAMES = {
    b"a\x1b[2J\nb": r"a\x1b[2J\nb",
    b"tab\there": r"tab\there",
    "c1\x9b31m".encode(): r"c1\x9b31m",
    "bidi\u202egpj.c": r"bidi\u202egpj.c",
    "line\u2028end": r"line\u2028end",
    b"cut\r": r"cut\r",
    "é ü": "é ü",
}
BAD = b"bad\xff.yaml"
SHOWN = [*NAMES.values(), r"bad\xff.yaml"]


@pytest.fixture
def changed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with such names among its changes since the deploy, and in its Dockerfile."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "no-buildx"))
    for name in ("app", "web"):
        save_manifest(root, prints(root, name, platform=host_platform(), base_digests={}))
    return root


def put(folder: Path, name: bytes | str) -> str:
    text = name if isinstance(name, str) else os.fsdecode(name)
    write(folder / text, "x")
    return text


def is_safe(text: str) -> bool:
    text.encode()  # no lone surrogate
    return all(char.isprintable() for char in text.replace("\n", ""))


CASES = [*((name, "app", shown) for name, shown in NAMES.items()), (BAD, "web", SHOWN[-1])]
cases = pytest.mark.parametrize(("name", "component", "shown"), CASES, ids=map(repr, SHOWN))


def edit(root: Path, name: bytes | str, component: str) -> None:
    put(root / ("src" if component == "app" else "chart/templates"), name)


def summarised(shown: str, component: str) -> str:
    return f"added {shown if component == 'app' else f'templates/{shown}'}"


@cases
def test_in_a_plan(
    changed: Path, name: Any, component: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(changed, name, component)
    before = len(list_plan(changed, capsys, diff=False).splitlines())
    output = list_plan(changed, capsys, diff=True)
    assert f"inputs_changed ({summarised(shown, component)})" in output
    assert f"A {component} {summarised(shown, component).removeprefix('added ')}\n" in output
    assert is_safe(output)
    assert len(output.splitlines()) == before + 1


def list_plan(root: Path, capsys: pytest.CaptureFixture[str], *, diff: bool) -> str:
    assert main(["plan", "--project", str(root), *(["--diff"] if diff else [])]) == 0
    return capsys.readouterr().out


@cases
def test_in_json(
    changed: Path, name: Any, component: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(changed, name, component)
    assert main(["plan", "--project", str(changed), "-o", "json"]) == 0
    part = json.loads(capsys.readouterr().out)["components"][component]
    assert part["reasons"][0]["detail"] == summarised(shown, component)
    assert part["changes"]["added"]["first"] == [summarised(shown, component)[len("added ") :]]


@cases
def test_in_a_deploys_lines_and_report(
    changed: Path, name: Any, component: str, shown: str
) -> None:
    edit(changed, name, component)
    now = prints(changed, component, platform=host_platform(), base_digests={})
    kept = load_manifest(changed, last(changed, component))
    changes = explain(kept, now)
    text = summary_of(changes)
    assert text == summarised(shown, component)
    part = ComponentPlan(
        component,
        "image",
        steps=("build", "publish"),
        reasons=(Reason("inputs_changed", text),),
        changes=changes,
    )
    plan = _plan(changed, part)
    line = component_summary(plan["components"][component])
    assert line == f"build, publish: inputs_changed ({text})"
    output = run({"component": component, "plan": plan}, _Context())
    assert is_safe(json.dumps(output, ensure_ascii=False))
    report = build_report([{"event": "opened"}, {"event": "plan", "plan": plan}])
    assert is_safe(json.dumps(report, ensure_ascii=False))
    markdown = render(report)
    assert is_safe(markdown)
    assert shown in markdown


class _Context:
    check = False


def last(root: Path, component: str) -> str:
    found = last_deployed(root, component)
    assert found is not None
    return found.value


def _plan(root: Path, part: ComponentPlan) -> dict[str, Any]:
    session = Session(load_project(root, environ={}), {}, platform=host_platform(), blind=True)
    plan, _ = without_cluster(session, Request(), LocalloopError("docker_unreachable", "x"))
    assert with_inputs(session, plan).components
    return replace(plan, components={part.name: part}).as_dict()


def test_what_a_dockerfile_says(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = b'FROM alpine:3\nADD https://e.invalid/\x1b]0;x\x07\xff /x\nCOPY "$X\x1b[2J" /\n'
    write(changed / "docker/Dockerfile", text)
    output = list_plan(changed, capsys, diff=True)
    assert r"not tracked: app: ADD https://e.invalid/\x1b]0;x\x07\xff" in output
    assert r'"$X\x1b[2J" cannot be resolved' in output
    assert is_safe(output)


def test_what_a_configuration_says(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = CONFIG.replace("{tag: $app.tag}", r'{tag: $app.tag, "k\e[2J\n": 1}')
    config = config.replace("context: src}", r'context: src, inputs: ["main.c", "no\x9b2J"]}')
    write(changed / "localloop.yml", config)
    output = list_plan(changed, capsys, diff=True)
    assert r"value k\x1b[2J\n" in output
    assert r"inputs: no\x9b2J matches nothing" in output
    assert is_safe(output)


@cases
def test_on_a_strict_terminal(changed: Path, name: Any, component: str, shown: str) -> None:
    edit(changed, name, component)
    argv = [sys.executable, "-m", "localloop", "plan", "--diff", "--project", str(changed)]
    for encoding in ("utf-8:strict", "ascii:strict"):
        environ = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run(argv, capture_output=True, env=environ, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        if encoding.startswith("utf-8"):
            assert shown in done.stdout.decode()


def test_progress_on_a_terminal_has_one_line_per_subject(changed: Path) -> None:
    put(changed / "src", b"a\x1b[2J\nb")
    now = prints(changed, "app", platform=host_platform(), base_digests={})
    text = summary_of(explain(load_manifest(changed, last(changed, "app")), now))
    stream = io.StringIO()
    Progress(stream).show(f"app: build: {text}")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b[2J" not in stream.getvalue()
