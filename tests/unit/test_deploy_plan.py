"""`deploy_plan`: a plan is of the request that it is asked for, whatever was planned before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_import_budget import CONFIG, World, world

from localloop.config.project import load_project
from localloop.errors import LocalloopError, UsageError
from localloop.plan.model import Plan
from localloop.report.journal import Journal
from localloop.session import Session
from localloop.steps import deploy_plan
from localloop.steps.context import Context
from localloop.system.paths import content_dir
from localloop.transaction.run import open_run

__all__ = ["world"]
TRANSACTION = "tx-1"


@pytest.fixture
def journal(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """An open transaction in whose journal there is a plan of something else already."""
    found = Journal(TRANSACTION, tmp_path / "journal", tmp_path / "lock")
    monkeypatch.setenv("LOCALLOOP_TRANSACTION", TRANSACTION)
    monkeypatch.setenv("LOCALLOOP_JOURNAL", str(found.path))
    monkeypatch.setenv("LOCALLOOP_LOCK", str(found.project_lock))
    other = Plan("other", "/other", "", "full", ("x",), {"verdict": "ok", "reason": ""})
    found.emit({"event": "plan", "plan": other.as_dict()})
    return found


def planned(world: World, *, check: bool = False, **changes: Any) -> dict[str, Any]:
    """The plan for these parameters, the others at their defaults."""
    spec = deploy_plan.ARGUMENT_SPEC
    defaults = {name: option.get("default") for name, option in spec.items()}
    context = Context(check=check, transaction=TRANSACTION)
    given = {**defaults, "project": str(world.root), **changes}
    plan: dict[str, Any] = deploy_plan.run(given, context)["plan"]
    return plan


def handed_over(tmp_path: Path, plan: dict[str, Any], transaction: str = TRANSACTION) -> str:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"transaction": transaction, "plan": plan}))
    return str(path)


def steps(plan: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: part.steps for name, part in Plan.from_dict(plan).components.items()}


# Per parameter another value than that of a plan that was made with the defaults.
OTHERWISE: dict[str, Any] = {
    "project": "OTHER",
    "targets": ["web"],
    "mode": "full",
    "profile": "fast",
    "bootstrap": "recreate",
    "force": True,
}


@pytest.fixture
def two_projects(world: World) -> World:
    """The project has a profile; beside it there is another one."""
    config = {**CONFIG, "profiles": {"fast": {"build_args": {"A": "1"}}}}
    (world.root / "localloop.yml").write_text(yaml.safe_dump(config))
    other = world.root.parent / "other"
    other.mkdir()
    for name in ("Dockerfile", "page.html"):
        (other / name).write_bytes((world.root / name).read_bytes())
    (other / "localloop.yml").write_text(
        yaml.safe_dump({**config, "charts": {}, "cluster": {"name": "hello"}})
    )
    return world


def other_value(world: World, name: str) -> Any:
    value = OTHERWISE[name]
    return str(world.root.parent / "other") if value == "OTHER" else value


def test_the_parameters_of_the_module_are_all_tried() -> None:
    assert set(OTHERWISE) | {"made", "built"} == set(deploy_plan.ARGUMENT_SPEC)


@pytest.mark.parametrize("name", sorted(set(OTHERWISE) - {"force"}))
def test_no_parameter_is_ignored_after_an_earlier_plan_of_the_run(
    two_projects: World, journal: Journal, name: str
) -> None:
    plan = planned(two_projects)
    assert plan["project"] == "hello"
    again = planned(two_projects, **{name: other_value(two_projects, name)})
    assert again != plan
    assert planned(two_projects) == plan


@pytest.mark.parametrize("how", ["made", "built"])
@pytest.mark.parametrize("name", sorted(OTHERWISE))
def test_no_parameter_is_ignored_beside_a_plan_that_is_handed_over(
    two_projects: World, journal: Journal, tmp_path: Path, name: str, how: str
) -> None:
    plan = planned(two_projects)
    given = {how: plan if how == "built" else handed_over(tmp_path, plan)}
    assert planned(two_projects, **given) == plan
    other = {name: other_value(two_projects, name)}
    if how == "made" and name == "force":
        # It lifts a refusal: a plan that was not refused fits it either way.
        assert planned(two_projects, **given, **other) == plan
        return
    with pytest.raises(UsageError) as caught:
        planned(two_projects, **given, **other)
    settled = how == "built" and name in ("bootstrap", "force")
    assert caught.value.reason == ("conflicting_parameters" if settled else "plan_mismatch")
    assert name in str(caught.value)


def test_a_plan_that_replaces_the_cluster_is_refused_by_a_play_that_must_not(
    world: World, journal: Journal, tmp_path: Path
) -> None:
    plan = planned(world, bootstrap="recreate")
    assert plan["cluster"]["verdict"] == "bootstrap"
    made = handed_over(tmp_path, plan)
    assert planned(world, bootstrap="recreate", made=made) == plan
    with pytest.raises(LocalloopError) as caught:
        planned(world, made=made)
    assert caught.value.reason == "recreate_requested"


@pytest.mark.parametrize("answer", ["auto", "reuse"])
def test_a_plan_that_was_to_replace_the_cluster_is_refused_for_another_answer(
    world: World, journal: Journal, tmp_path: Path, answer: str
) -> None:
    made = handed_over(tmp_path, planned(world, bootstrap="recreate"))
    with pytest.raises(UsageError, match=f"bootstrap={answer}") as caught:
        planned(world, bootstrap=answer, made=made)
    assert caught.value.reason == "plan_mismatch"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"transaction": "tx-1", "plan": {}}'])
def test_a_file_without_a_plan(world: World, tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(UsageError) as caught:
        planned(world, made=str(tmp_path / "plan.json"))
    assert caught.value.reason == "plan_unreadable"


def test_the_plan_of_another_run(world: World, tmp_path: Path) -> None:
    made = handed_over(tmp_path, planned(world), "tx-0")
    with pytest.raises(UsageError, match=f"has the plan of tx-0, this run is {TRANSACTION}"):
        planned(world, made=made)


def test_an_edit_of_the_configuration_after_the_plan(world: World, tmp_path: Path) -> None:
    plan = planned(world)
    moved = replace(Plan.from_dict(plan), config_sha256="0" * 64).as_dict()
    for given in ({"made": handed_over(tmp_path, moved)}, {"built": moved}):
        with pytest.raises(LocalloopError) as caught:
            planned(world, **given)
        assert caught.value.reason == "config_moved"


PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - deploy_plan: {project: "{{ localloop_project }}"}
      register: first
      run_once: true
    - deploy_plan: {project: "{{ localloop_project }}", targets: [web]}
      register: second
      run_once: true
    - ansible.builtin.copy:
        content: "{{ [first.plan, second.plan] | to_json }}"
        dest: "{{ localloop_project }}/plans.json"
        mode: "0600"
      run_once: true
"""


@pytest.mark.slow
def test_two_plans_in_one_play(world: World, tmp_path: Path) -> None:
    """Within a transaction whose journal has a plan already, as under the command."""
    transaction = open_run(Session(load_project(world.root), os.environ), "deploy")
    transaction.emit({"event": "plan", "plan": planned(world, mode="full")})
    (tmp_path / "play.yml").write_text(PLAY)
    program = Path(sys.executable).with_name("ansible-playbook")
    config = {
        "ANSIBLE_CONFIG": str(content_dir() / "ansible.cfg"),
        "LOCALLOOP_PROJECT": str(world.root),
    }
    done = subprocess.run(
        [program, tmp_path / "play.yml"],
        env={**os.environ, **config, **transaction.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    transaction.close()
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = json.loads((world.root / "plans.json").read_text())
    assert (first["project"], first["targets"], second["targets"]) == ("hello", [], ["web"])
    assert steps(first) == {"web": (), "page": ()}
    assert steps(second)["web"] == ("build", "publish")
