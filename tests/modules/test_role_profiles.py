"""Each role that takes a profile hands it to its module."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from calls import REPOSITORY, clean

ROLES = sorted(
    path.parents[1].name
    for path in REPOSITORY.glob("roles/*/meta/argument_specs.yml")
    if f"{path.parents[1].name}_profile" in path.read_text("utf-8")
)


def attempt(role: str) -> dict[str, Any]:
    """A task that runs the role with a profile that no project has, and notes how it failed."""
    noted = f"{{'{role}': ansible_failed_result.reason}}"
    fact = {"reasons": "{{ reasons | combine(" + noted + ") }}"}
    return {
        "block": [
            {
                "ansible.builtin.include_role": {"name": role},
                "vars": {f"{role}_profile": "no-such-profile"},
            }
        ],
        "rescue": [{"ansible.builtin.set_fact": fact}],
    }


@pytest.fixture(scope="module")
def reasons(hello: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By role, why it failed in check mode without Docker."""
    where = tmp_path_factory.mktemp("profiles")
    found = where / "reasons.json"
    note = {"content": "{{ reasons | to_json }}", "dest": str(found)}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "reasons": {},
            "localloop_project": str(hello),
            "localloop_targets": [],
            "localloop_mode": "auto",
        },
        "tasks": [
            *map(attempt, ROLES),
            {"ansible.builtin.copy": note, "check_mode": False},
        ],
    }
    (where / "play.yml").write_text(yaml.safe_dump([play]))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "--check", "--connection=local", "--inventory=localhost,", where / "play.yml"],
        env={
            **clean({}),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_HOME": str(where / "ansible"),
            "ANSIBLE_INVENTORY_ENABLED": "host_list",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written: dict[str, str] = json.loads(found.read_text())
    return written


def test_there_are_such_roles() -> None:
    assert {"plan", "rollback"} <= set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_the_profile_reaches_the_module(reasons: dict[str, str], role: str) -> None:
    assert reasons[role] == "profile_unknown"
