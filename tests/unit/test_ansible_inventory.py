"""``localloop.yml`` as an inventory."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_tree import REPOSITORY, Tree

from localloop.ansible.inventory import component_vars, project_vars
from localloop.config.project import load_project

HOSTILE = "{{ lookup('pipe','touch pwned') }}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("tree"))


def listing(tree: Tree, *options: str, **extra: str) -> Any:
    done = tree.run("ansible-inventory", "--list", *options, extra=extra)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, object_hook=_untagged)


def _untagged(value: dict[str, Any]) -> Any:
    """Ansible marks every value that it does not trust as a template."""
    return value.get("__ansible_unsafe", value)


def test_components_are_hosts(tree: Tree) -> None:
    found = listing(tree)
    assert found["images"] == {"hosts": ["gateway", "worker"]}
    assert found["charts"] == {"hosts": ["relay"]}
    assert found["all"] == {"children": ["ungrouped", "images", "node_files", "charts"]}
    assert found["_meta"]["hostvars"]["relay"] == {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "localloop_bootstrap": "auto",
        "localloop_cluster_context": None,
        "localloop_cluster_name": "relay",
        "localloop_cluster_provider": "auto",
        "localloop_force": False,
        "localloop_kind": "chart",
        "localloop_mode": "auto",
        "localloop_namespace": "relay",
        "localloop_plan": "",
        "localloop_profile": None,
        "localloop_project": str(tree.project),
        "localloop_project_name": "relay",
        "localloop_registry_port": None,
        "localloop_release": "relay",
        "localloop_targets": [],
        "localloop_timeout": 90.0,
    } | ({"ansible_local": {}} if "ansible_local" in found["_meta"]["hostvars"]["relay"] else {})


def test_a_project_file_is_an_inventory(tree: Tree) -> None:
    found = listing(tree, "-i", str(tree.project / "localloop.yml"), LOCALLOOP_PROJECT="/nowhere")
    assert sorted(found["_meta"]["hostvars"]) == ["gateway", "relay", "worker"]


def test_the_environment_chooses(tree: Tree) -> None:
    found = listing(
        tree,
        LOCALLOOP_PROJECT=str(tree.project),
        LOCALLOOP_TARGETS="gateway, relay",
        LOCALLOOP_MODE="full",
        CLUSTER_NAME="other",
    )["_meta"]["hostvars"]["gateway"]
    assert found["localloop_targets"] == ["gateway", "relay"]
    assert found["localloop_mode"] == "full"
    assert found["localloop_cluster_name"] == "other"


def test_values_are_never_templates(tree: Tree) -> None:
    playbook = tree.write(
        "playbooks/show.yml",
        """\
- hosts: gateway
  gather_facts: false
  tasks:
    - debug: {msg: "{{ localloop_targets }}"}
""",
    )
    done = tree.run(
        "ansible-playbook", str(playbook),
        extra={"LOCALLOOP_TARGETS": HOSTILE.replace("touch ", "touch>").replace(" ", "")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "touch>pwned" in done.stdout
    assert not list(tree.project.glob("pwned"))


def test_a_config_error_names_its_place(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.configure("version: 1\nproject: relay\nimages:\n  gateway: {dockerfil: Dockerfile}\n")
    done = tree.run("ansible-inventory", "--list")
    assert done.returncode != 0
    assert "localloop.yml:4:13" in done.stderr
    assert "unknown key 'dockerfil' in images.gateway" in done.stderr


def test_vars_of_a_project(tree: Tree) -> None:
    project = load_project(tree.project, environ={})
    found = project_vars(project, {"LOCALLOOP_TARGETS": "a,b"})
    assert found["localloop_targets"] == ["a", "b"]
    assert component_vars(project.images["gateway"])["localloop_kind"] == "image"


def test_every_variable_is_documented(tree: Tree) -> None:
    """The plugin documents what it sets, except for the variables that Ansible itself reads."""
    text = yaml.safe_load(plugin_documentation())["description"]
    named = set(re.findall(r"C\((localloop_\w+)\)", " ".join(text)))
    project = load_project(tree.project)
    found = set(project_vars(project, {}))
    for component in project.components.values():
        found |= set(component_vars(component))
    assert named == {name for name in found if not name.startswith("ansible_")}


def plugin_documentation() -> str:
    plugin = ast.parse((REPOSITORY / "inventory_plugins/localloop.py").read_text())
    for node in plugin.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return str(ast.literal_eval(node.value))
    raise AssertionError("it has none")
