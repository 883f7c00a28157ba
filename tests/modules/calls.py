"""A table of module calls that one ansible-playbook runs, each in the worker and as a payload."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.documented import undocumented

REPOSITORY = Path(__file__).resolve().parents[2]
OTHER_PYTHON = Path("/usr/bin/python3")
FORMS = ("worker", "payload")
# Keys that Ansible itself adds to a result, or adds in one of the forms only.
_NOT_OURS = ("_ansible_no_log", "invocation", "exception", "failed_when_result", "action")


@dataclass(frozen=True)
class Call:
    """One task: the module, its arguments and the expected result.

    ``expect``: keys of the result with their values. ``error``: the reason of a failure, or a part
    of Ansible's message about the arguments.
    """

    name: str
    module: str
    arguments: dict[str, Any] = field(default_factory=dict)
    expect: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    check: bool = False
    diff: bool = False
    register: str = ""
    forms: tuple[str, ...] = FORMS

    @property
    def id(self) -> str:
        return f"{self.module}: {self.name}"

    def task(self) -> dict[str, Any]:
        return {
            "name": self.id,
            self.module: self.arguments,
            "check_mode": self.check,
            "diff": self.diff,
            "ignore_errors": True,
            **({"register": self.register} if self.register else {}),
            **({} if self.forms == FORMS else {"when": f"inventory_hostname in {self.forms!r}"}),
        }


def other_python(where: Path) -> Path:
    """A Python that Ansible does not recognise as its own, so that modules run as payloads."""
    probe = "import sys, docker, yaml; sys.exit(sys.version_info < (3, 11))"
    if (
        OTHER_PYTHON.exists()
        and not subprocess.run(
            [OTHER_PYTHON, "-c", probe], capture_output=True, check=False
        ).returncode
    ):
        return OTHER_PYTHON
    script = where / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return script


Results = dict[str, dict[str, Any]]


def perform(
    calls: Iterable[Call],
    where: Path,
    *,
    environ: Mapping[str, str],
    forms: Iterable[str] = FORMS,
    play_vars: Mapping[str, Any] | None = None,
    all_vars: Mapping[str, Any] | None = None,
) -> Results:
    """Run the calls in their order; per form and id the result, without what Ansible adds.

    Whatever they return, the module's RETURN section describes it.
    """
    pythons = {"worker": sys.executable, "payload": str(other_python(where))}
    hosts = {
        form: {"ansible_connection": "local", "ansible_python_interpreter": pythons[form]}
        for form in forms
    }
    inventory = {"all": {"hosts": hosts, "vars": dict(all_vars or {})}}
    (where / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (where / "calls.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "vars": dict(play_vars or {}),
                    "tasks": [call.task() for call in calls],
                }
            ],
            sort_keys=False,
        )
    )
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--inventory=" + str(where / "hosts.yml"),
            str(where / "calls.yml"),
        ],
        cwd=where,
        env={
            **clean(environ),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_HOME": str(where / "ansible"),
            "ANSIBLE_INVENTORY_ENABLED": "localloop,yaml",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    start = done.stdout.find("{\n")
    assert start >= 0, done.stdout + done.stderr
    # What the steps say comes before it, and the report's path after it.
    (ran,) = json.JSONDecoder().raw_decode(done.stdout[start:])[0]["plays"]
    results: Results = {}
    for task in ran["tasks"]:
        for host, result in task["hosts"].items():
            ours = {key: value for key, value in result.items() if key not in _NOT_OURS}
            results.setdefault(host, {})[task["task"]["name"]] = ours
            module = task["task"]["name"].partition(":")[0]
            assert undocumented(module, ours) == [], task["task"]["name"]
    return results


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without variables that matter to a run, plus ``environ``."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "DEPLOY_", "KUBE", "LOCALLOOP_")) and key != "CI"
    }
    return {**kept, **environ}


def judge(call: Call, results: Results) -> None:
    """Check that the result is as expected, and the same in both forms."""
    worker = results["worker"][call.id]
    if call.error:
        assert worker.get("failed") is True, worker
        assert call.error in (worker.get("reason"), worker["msg"]) or call.error in worker["msg"]
    else:
        assert not worker.get("failed"), worker
    assert {key: worker.get(key) for key in call.expect} == call.expect
    for form in call.forms:
        assert results[form][call.id] == worker
