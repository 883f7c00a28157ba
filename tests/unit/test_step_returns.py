"""What each step returns, over fakes of what it asks, against its module's RETURN section."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from fake_deployed import CONFIG, World, deployed_world

from harness.documented import LIBRARY, returned, undocumented
from localloop.cluster.state import kubeconfig_path
from localloop.steps.context import Context

MODULES = sorted(path.stem for path in LIBRARY.glob("*.py"))
NODE_FILES = {"tool": {"dockerfile": "Dockerfile", "file": "page.html", "dest": "/opt/tool"}}
PROJECT, PLAN = "PROJECT", "PLAN"
# The arguments of each step; the words above stand for the project's directory and for its plan.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "baseline_measure": {"project": PROJECT, "with_deploy": True},
    "chart_release": {"plan": PLAN},
    "chart_rollback": {"project": PROJECT, "transaction": "tx"},
    "cluster_inspect": {"name": "hello"},
    "cluster_record": {"project": PROJECT},
    "component_report": {"plan": PLAN, "component": "web"},
    "deploy_plan": {"project": PROJECT},
    "deploy_record": {"plan": PLAN},
    "digest_compare": {"plan": PLAN},
    "hook_run": {"plan": PLAN, "when": "before_deploy"},
    "host_inspect": {},
    "image_build": {"plan": PLAN},
    "image_prune": {"project": PROJECT},
    "kind_cluster": {"name": "other", "state": "absent"},
    "kind_node_image": {"path": "roles/cluster/files/node-image"},
    "node_file_put": {"plan": PLAN},
    "node_file_reconcile": {"plan": PLAN},
    "project_remove": {"project": PROJECT},
    "project_status": {"project": PROJECT},
    "readiness_gate": {"plan": PLAN},
    "registry_image": {"repository": "localloop/x", "path": "roles/registry/files/registry-image"},
    "registry_inspect": {"name": "hello"},
    "registry_mirrors": {"nodes": [], "directories": ["/etc/x"], "content": "y"},
}
# These look at things only, so that they run as they are; the others run in check mode.
LOOKING = {
    "cluster_inspect", "component_report", "deploy_plan", "host_inspect", "project_status",
    "registry_inspect",
}  # fmt: skip


def step(name: str, world: World, **more: Any) -> dict[str, Any]:
    """What a step returns, as Ansible gets it."""
    module = import_module(f"localloop.steps.{name}")
    words = {PROJECT: str(world.root)}
    given = {**ARGUMENTS[name], **more}
    if given.get("plan") == PLAN:
        given["plan"] = step("deploy_plan", world)["plan"]
    given = {
        key: words.get(value, value) if isinstance(value, str) else value
        for key, value in given.items()
    }
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate(given)
    assert not validated.error_messages
    context = Context(check=name not in LOOKING)
    result: dict[str, Any] = module.run(validated.validated_parameters, context)
    found: dict[str, Any] = json.loads(json.dumps(result))
    return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(LIBRARY.parent)
    with deployed_world(tmp_path, monkeypatch) as made:
        kind = tmp_path / "bin" / "kind"  # a fake one, which knows the cluster's kubeconfig
        kind.parent.mkdir()
        kind.write_text(f"#!/bin/sh\ncat {kubeconfig_path('hello')}\n")
        kind.chmod(0o755)
        monkeypatch.setenv("PATH", f"{kind.parent}:{os.environ['PATH']}")
        yield made


def edit(world: World) -> None:
    """Give every kind of component something to do."""
    (world.root / "page.html").write_text("another page\n")
    config = {**CONFIG, "node_files": NODE_FILES}
    (world.root / "localloop.yml").write_text(yaml.safe_dump(config))


def test_every_module_is_compared() -> None:
    assert sorted(ARGUMENTS) == MODULES


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_what_a_step_returns_is_documented(name: str, edited: bool, world: World) -> None:
    if edited:
        edit(world)
    result = step(name, world)
    assert isinstance(result.pop("changed"), bool)
    assert undocumented(name, result) == []
    documented = {key for key, doc in returned(name).items() if doc["returned"] == "success"}
    assert documented <= result.keys()


def test_the_status_of_every_kind_is_documented(world: World) -> None:
    edit(world)
    result = step("project_status", world)
    components = result["status"]["components"]
    assert {name: part["kind"] for name, part in components.items()} == {
        "web": "image",
        "tool": "node_file",
        "page": "chart",
    }
    assert components["page"]["revision"] == 1
    assert result["status"]["left_behind"] == []
    assert result["status"]["cluster"]["kubernetes"] == "1.37.2"


def test_the_status_without_a_cluster_is_documented(world: World) -> None:
    world.listed.clear()
    result = step("project_status", world)
    assert result["status"]["components"] == {}
    assert undocumented("project_status", result) == []
