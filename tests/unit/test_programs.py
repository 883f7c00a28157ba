"""Programs of the project's commands that are missing: refused before anything changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.plan.model import ComponentPlan, Plan, Step
from localloop.plan.programs import require_programs

CONFIG = """\
version: 1
project: demo
images:
  app: {dockerfile: Dockerfile, unhashed_args: {V: {command: [VERSION]}, W: {env: X}}}
  made: {build: {command: [MAKE]}, inputs: [Dockerfile]}
charts: {web: {path: chart, namespace: app}}
hooks: {after_deploy: [{command: ["true"]}, {command: [SMOKE, --quick]}]}
"""


def refused(
    root: Path, words: dict[str, str], steps: dict[str, Step], *, everything: bool = False
) -> str:
    """What is said where every other program is there; empty if nothing is."""
    text = CONFIG
    for place in ("VERSION", "MAKE", "SMOKE"):
        text = text.replace(place, words.get(place, "sh"))
    (root / "localloop.yml").write_text(text)
    project = load_project(root, environ={})
    parts = {
        name: ComponentPlan(name, "chart" if name == "web" else "image", steps=(step,))
        for name, step in steps.items()
    }
    plan = Plan("demo", "/", "", "auto", (), {"verdict": "ok"}, parts)
    try:
        require_programs(project, plan, everything=everything)
    except UsageError as error:
        assert (error.reason, error.exit_code) == ("program_missing", 2)
        return error.message
    return ""


@pytest.mark.parametrize(
    ("place", "component", "step", "where"),
    [
        ("VERSION", "app", "build", "images.app.unhashed_args.V.command"),
        ("MAKE", "made", "build", "images.made.build.command"),
        ("SMOKE", "web", "release", "hooks.after_deploy[1].command"),
    ],
)
def test_only_what_the_plan_runs_is_looked_for(
    tmp_path: Path, place: str, component: str, step: Step, where: str
) -> None:
    words = {place: "no-such-program"}
    said = f"{where}: no-such-program is not on PATH"
    assert refused(tmp_path, words, {component: step}) == said
    assert refused(tmp_path, words, {}, everything=True) == said
    assert refused(tmp_path, words, {}) == ""
    assert refused(tmp_path, {}, {component: step}) == ""


def test_a_program_by_its_path_may_still_be_made(tmp_path: Path) -> None:
    assert refused(tmp_path, {"SMOKE": "./out/smoke"}, {"web": "release"}) == ""
