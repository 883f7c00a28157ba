"""Modules against Docker and a cluster: check mode, for real, and again, in both forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from calls import FORMS, Call, Results, perform

from harness.outside import docker
from harness.project import Project

# Each step's ``changed``: in check mode, for real, and again.
STEPS = {
    "deploy_plan": (False, False, False),
    "image_build": (True, True, False),
    "digest_compare": (False, False, False),
    "chart_release": (True, True, False),
    "readiness_gate": (False, False, False),
    "deploy_record": (True, True, False),
}
PHASES = ("check", "real", "again")


def loop(project: Project, phase: str) -> list[Call]:
    """The loop's steps, each with the plan of the previous one."""
    calls = []
    arguments: dict[str, Any] = {"project": str(project.root)}
    for step, changed in STEPS.items():
        calls.append(
            Call(
                phase,
                step,
                arguments,
                {"changed": changed[PHASES.index(phase)]},
                check=phase == "check",
                register=f"{step}_result",
            )
        )
        arguments = {"plan": f"{{{{ {step}_result['plan'] }}}}"}
    return calls


def play(project: Project, where: Path, form: str, phase: str) -> dict[str, Any]:
    """One play of the loop: the result of each step."""
    where.mkdir()
    ran = perform(
        loop(project, phase),
        where,
        environ={**project.cluster.env(), "DEPLOY_TX_ID": f"{form}-{phase}"},
        forms=[form],
        all_vars={"localloop_project": str(project.root)},
        play_vars={} if phase == "check" else {"localloop_command": "deploy"},
    )
    return {call.module: ran[form][call.id] for call in loop(project, phase)}


def shape(value: Any) -> Any:
    """Keys and types: what two projects' results have in common."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value).__name__


@pytest.mark.cluster
def test_the_loop_in_both_forms(make_project: Any, tmp_path: Path) -> None:
    shapes = []
    for form in FORMS:
        project: Project = make_project(f"modules-{form}")
        seen = {}
        for number, phase in enumerate(PHASES):
            results = play(project, tmp_path / f"{form}-{phase}", form, phase)
            seen[phase] = project.outside.see()
            for step, changed in STEPS.items():
                assert not results[step].get("failed"), (form, phase, step, results[step])
                assert results[step]["changed"] is changed[number], (form, phase, step)
            gate = "not_run" if phase == "check" else "ready"
            assert results["readiness_gate"]["gate"]["status"] == gate
            shapes.append(shape({step: set(results[step]) for step in STEPS}))
        assert seen["check"].revisions == ()
        assert seen["check"].tags == frozenset()
        assert seen["real"].revisions == ((1, "deployed"),)
        assert seen["real"].builds == {f"{form}-real"}
        assert seen["again"] == seen["real"]
    assert shapes[: len(PHASES)] == shapes[len(PHASES) :]


@pytest.mark.cluster
def test_what_a_cluster_was_made_for_is_recorded_once(make_project: Any, tmp_path: Path) -> None:
    for form in FORMS:
        project: Project = make_project(f"noted-{form}")
        project.append("localloop.yml", '\ncluster: {inputs: ["chart/**"]}\n')
        where = tmp_path / form
        where.mkdir()
        arguments = {"project": str(project.root)}
        calls = [
            Call(phase, "cluster_record", arguments, check=phase == "check") for phase in PHASES
        ]
        ran = perform(calls, where, environ=project.cluster.env(), forms=[form])[form]
        check, real, again = (ran[call.id] for call in calls)
        assert [check["changed"], real["changed"], again["changed"]] == [True, True, False], ran
        annotations = project.cluster.get("namespace", "localloop")["metadata"]["annotations"]
        noted = json.loads(annotations[f"cluster-inputs.localloop/{project.name}"])
        assert noted["state"] == "bootstrapped"
        assert noted["fingerprint"] == real["fingerprint"] == check["fingerprint"]


@pytest.fixture
def image(tmp_path: Path) -> Any:
    """The directory of an image that builds at once, and the repository for it."""
    directory = tmp_path / "image"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    repository = "localloop/module-test"
    yield {"repository": repository, "path": str(directory), "tag_prefix": "1"}
    if found := docker("images", "--quiet", repository).split():
        docker("rmi", "--force", *set(found))


@pytest.mark.docker
def test_registry_image_is_built_once(image: dict[str, str], tmp_path: Path) -> None:
    for form in FORMS:
        where = tmp_path / form
        where.mkdir()
        # The form is a build argument, so that each has an image of its own.
        arguments = {**image, "build_args": {"FORM": form}}
        calls = [
            Call(phase, "registry_image", arguments, check=phase == "check") for phase in PHASES
        ]
        ran = perform(calls, where, environ={}, forms=[form])[form]
        check, real, again = (ran[call.id] for call in calls)
        assert [check["changed"], real["changed"], again["changed"]] == [True, True, False]
        assert check["image"] == real["image"] == again["image"]
        assert docker("image", "inspect", "--format", "{{.Id}}", real["image"])
        assert set(check) == set(real) == set(again)


@pytest.mark.docker
def test_what_does_not_exist_has_to_be_created(tmp_path: Path) -> None:
    name = "module-test-absent"
    calls = [
        Call("absent", "cluster_inspect", {"name": name}),
        Call("absent, check", "cluster_inspect", {"name": name}, check=True),
        Call("absent", "registry_inspect", {"name": name, "port": 15000}),
        Call("absent, check", "registry_inspect", {"name": name, "port": 15000}, check=True),
    ]
    results: Results = perform(calls, tmp_path, environ={"XDG_STATE_HOME": str(tmp_path / "state")})
    assert results["worker"] == results["payload"]
    for call in calls:
        found = results["worker"][call.id]
        assert found["changed"] is False
        assert found[call.module.removesuffix("_inspect")]["verdict"] == "create"
    assert results["worker"]["registry_inspect: absent"]["address"] == "127.0.0.1:15000"
