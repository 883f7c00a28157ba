"""Steps as action plugins and as modules: through real runs of ansible, with a stand-in step.

That arguments are validated alike in both is seen on the real modules, in tests/modules.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_tree import FROM_SECRET, SECRET, SLEEP, Tree

from localloop.ansible.calls import plain
from localloop.events import printable, progress_line

OTHER_PYTHON = Path("/usr/bin/python3")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("tree"))


def adhoc(tree: Tree, host: str, arguments: dict[str, Any], *options: str) -> SimpleNamespace:
    """One ad-hoc task: exit status, result and the whole output."""
    done = tree.run(
        "ansible", host, "-m", "echo_step", "-a", json.dumps(arguments), *options,
        extra={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )  # fmt: skip
    text = done.stdout + done.stderr
    start = done.stdout.find("{", max(done.stdout.find("=>"), 0))
    result = json.JSONDecoder().raw_decode(done.stdout[start:])[0] if start >= 0 else {}
    return SimpleNamespace(rc=done.returncode, result=result, text=text)


def test_runs_in_the_worker(tree: Tree) -> None:
    ran = adhoc(tree, "gateway", {"text": "hello", "size": "3"})
    assert ran.rc == 0
    assert ran.result["changed"] is True
    assert ran.result["size"] == 3
    assert ran.result["package"] == "localloop.steps.echo_step"
    assert ran.result["types"] == ["NoneType", "dict", "int", "str"]
    assert "gateway: hello" in ran.text
    assert ran.result["transaction"] is None


def test_tagged_values_arrive_plain(tree: Tree) -> None:
    data = {"a": ["x", {"b": 1.5}], "c": True, "d": "{{ localloop_project_name }}"}
    ran = adhoc(tree, "gateway", {"text": "hello", "data": data})
    assert ran.result["types"] == ["NoneType", "bool", "dict", "float", "list", "str"]


@pytest.mark.parametrize("mode", ["echo", "fail", "crash", FROM_SECRET])
def test_no_log_values_are_masked(tree: Tree, mode: str) -> None:
    ran = adhoc(tree, "gateway", {"text": "x", "mode": mode, "token": FROM_SECRET}, "-vvv")
    assert SECRET not in ran.text
    assert (ran.rc == 0) == (mode == "echo")


def test_an_error_has_its_reason(tree: Tree) -> None:
    ran = adhoc(tree, "gateway", {"text": "x", "mode": "fail", "token": FROM_SECRET})
    assert ran.rc == 2
    assert ran.result["reason"] == "stood_in"
    assert ran.result["msg"] == "gateway: no luck with ********\n  Try again."
    assert ran.result["error"] == {
        "reason": "stood_in",
        "message": "no luck with ********",
        "component": "gateway",
        "where": None,
        "hint": "Try again.",
        "details": {},
        "exit_code": 1,
    }


def test_check_mode_reaches_the_step(tree: Tree) -> None:
    assert adhoc(tree, "gateway", {"text": "x"}, "--check").result["check"] is True
    assert adhoc(tree, "gateway", {"text": "x"}).result["check"] is False


@pytest.mark.parametrize(
    ("text", "options", "shown"),
    [("x", ("--diff",), True), ("same", ("--diff",), False), ("x", (), False)],
)
def test_diff_only_if_changed_and_requested(
    tree: Tree, text: str, options: tuple[str, ...], shown: bool
) -> None:
    assert ("+++ after" in adhoc(tree, "gateway", {"text": text}, *options).text) is shown


@pytest.mark.skipif(
    not OTHER_PYTHON.exists(),
    reason=f"{OTHER_PYTHON} is not there: a task needs a Python that lacks localloop",
)
@pytest.mark.parametrize("host", ["gateway", "localhost"])
def test_another_interpreter_gets_the_module(tree: Tree, host: str) -> None:
    ran = adhoc(
        tree, host, {"text": "x", "token": FROM_SECRET},
        "-e", f"ansible_python_interpreter={OTHER_PYTHON}", "--check",
    )  # fmt: skip
    assert ran.rc == 0, ran.text
    assert ran.result["package"] == "ansible.module_utils.localloop.steps.echo_step"
    assert ran.result["check"] is True
    assert SECRET not in ran.text


def test_an_environment_gets_the_module(tree: Tree) -> None:
    playbook = tree.write(
        "playbooks/environment.yml",
        """\
- hosts: gateway
  gather_facts: false
  tasks:
    - echo_step: {text: x}
      environment: {SOME: thing}
      register: result
    - assert: {that: result.package == 'ansible.module_utils.localloop.steps.echo_step'}
""",
    )
    done = tree.run("ansible-playbook", str(playbook))
    assert done.returncode == 0, done.stdout + done.stderr


# -- transactions of a plain run


@pytest.fixture
def deploy(tree: Tree) -> Iterator[Path]:
    yield tree.write(
        "playbooks/deploy-fast.yml",
        """\
- hosts: all
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - echo_step:
        text: hello
        mode: "{{ mode | default('echo') }}"
        token: "{{ lookup('ansible.builtin.env', 'SECRET') }}"
      run_once: true
""",
    )
    for report in reports(tree):
        report.with_suffix(".md").unlink()
        report.unlink()


def reports(tree: Tree) -> list[Path]:
    return sorted((tree.project / ".cache" / "deploy-reports").glob("*.json"))


def test_a_plain_run_writes_its_report(tree: Tree, deploy: Path) -> None:
    done = tree.run("ansible-playbook", str(deploy), "-e", "mode=fail")
    assert done.returncode == 2
    (report,) = reports(tree)
    assert f"Report: {report.with_suffix('.md')}" in done.stdout
    assert "stood_in" in report.read_text()
    assert SECRET not in report.read_text() + done.stdout + done.stderr


def test_its_seconds_count_from_the_start_of_the_process(tree: Tree, deploy: Path) -> None:
    """Those of a second playbook in the same process count from the end of the first."""
    begun = time.monotonic()
    done = tree.run("ansible-playbook", str(deploy), str(deploy))
    stopwatch = time.monotonic() - begun
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(report.read_text())["durations_ms"] for report in reports(tree)]
    assert len(found) == 2
    counted = sum(durations["total"] for durations in found) / 1000
    assert 0.7 * stopwatch < counted < stopwatch + 0.02  # a tick of 10 ms, and rounding


def test_check_writes_nothing(tree: Tree, deploy: Path) -> None:
    done = tree.run("ansible-playbook", str(deploy), "--check")
    assert done.returncode == 0
    assert reports(tree) == []
    assert "Report:" not in done.stdout


HARMLESS = {
    "ANSIBLE_CALLBACK_PLUGINS": "/elsewhere",
    "ANSIBLE_FORKS": "1",
    "ANSIBLE_GATHERING": "implicit",
    "ANSIBLE_SSH_ARGS": "-o none",
    "ANSIBLE_PYTHON_INTERPRETER": "/nowhere/python",
    "ANSIBLE_TRANSPORT": "ssh",
    "ANSIBLE_VERBOSITY": "1",
    "ANSIBLE_OF_NOBODY": "1",
}
CHANGES = {
    "ANSIBLE_STRATEGY": "free",
    "ANSIBLE_RUN_TAGS": "never",
    "ANSIBLE_SKIP_TAGS": "all",
    "ANSIBLE_BECOME": "true",
    "ANSIBLE_TASK_TIMEOUT": "1",
    "ANSIBLE_ERROR_ON_UNDEFINED_VARS": "false",
    "ANSIBLE_STRATEGY_PLUGINS": "/elsewhere",
    "ANSIBLE_ROLES_PATH": "/elsewhere",
    "ANSIBLE_ACTION_PLUGINS": "/elsewhere",
}


def test_harmless_variables_of_ansible_change_nothing(tree: Tree, deploy: Path) -> None:
    done = tree.run("ansible-playbook", str(deploy), "--forks", "1", extra=HARMLESS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(reports(tree)) == 1


@pytest.mark.parametrize(("variable", "value"), CHANGES.items())
def test_a_variable_of_ansible_that_changes_the_run_is_refused(
    tree: Tree, deploy: Path, variable: str, value: str
) -> None:
    done = tree.run("ansible-playbook", str(deploy), extra={variable: value})
    assert (done.returncode, reports(tree)) == (2, [])
    assert f"{variable} changes how deploy-fast.yml runs" in done.stderr
    assert "hello" not in done.stdout


@pytest.mark.parametrize(
    "option",
    [["--tags", "x"], ["--skip-tags", "x"], ["--start-at-task", "x"], ["--step"], ["--become"]],
    ids=lambda option: option[0],
)
def test_an_option_that_runs_a_part_is_refused(tree: Tree, deploy: Path, option: list[str]) -> None:
    done = tree.run("ansible-playbook", str(deploy), *option)
    assert (done.returncode, reports(tree)) == (2, [])
    assert f"{option[0]} would leave steps out" in done.stderr
    assert "hello" not in done.stdout


def test_another_strategy_in_the_file_is_refused(tree: Tree, deploy: Path) -> None:
    text = (tree.content / "ansible.cfg").read_text()
    other = tree.write("other.cfg", text.replace("strategy = linear", "strategy = free"))
    done = tree.run("ansible-playbook", str(deploy), extra={"ANSIBLE_CONFIG": str(other)})
    assert done.returncode == 2
    assert f"the strategy free of {other} changes how" in done.stderr


@pytest.mark.parametrize("unparsed", ["true", "false"])
def test_an_inventory_without_a_project_is_refused(tree: Tree, deploy: Path, unparsed: str) -> None:
    other = {"ANSIBLE_INVENTORY": "/nowhere", "ANSIBLE_INVENTORY_UNPARSED_FAILED": unparsed}
    done = tree.run("ansible-playbook", str(deploy), extra=other)
    assert done.returncode != 0
    assert "inventory" in done.stderr
    assert "hello" not in done.stdout


@pytest.mark.parametrize(("command", "code"), [("deploy", 0), ("depoly", 2), (None, 0)])
def test_a_custom_play_opens_a_transaction_by_its_command(
    tree: Tree, deploy: Path, command: str | None, code: int
) -> None:
    """The fixture ``deploy`` is used for its clean-up."""
    playbook = tree.write(
        "own/playbook.yml",
        f"""\
- hosts: gateway
  gather_facts: false
  vars: {{localloop_command: {command or "null"}}}
  tasks:
    - echo_step: {{text: hello}}
      register: result
    - assert: {{that: (result.transaction is none) == {command is None}}}
""",
    )
    done = tree.run("ansible-playbook", str(playbook))
    assert done.returncode == code, done.stdout + done.stderr
    assert len(reports(tree)) == (1 if command == "deploy" else 0)
    assert ("Commands: deploy" in done.stderr) == (code == 2)


@pytest.mark.parametrize(
    ("command", "options", "alone"),
    [
        ("rollback", "", False),
        ("prune", "", True),
        ("down", "", False),
        ("down", "down_cluster=true", True),
        ("down", "down_cluster=no", False),
    ],
)
def test_pruning_and_removing_need_the_cluster_exclusively(
    tree: Tree, command: str, options: str, alone: bool
) -> None:
    playbook = tree.write(
        f"playbooks/{command}.yml",
        f"""\
- hosts: gateway
  gather_facts: false
  tasks:
    - assert:
        that: >-
          ('"event": "exclusive"' in lookup('file', lookup('env', 'LOCALLOOP_JOURNAL'))) == {alone}
""",
    )
    argv = ["ansible-playbook", str(playbook), *(["-e", options] if options else [])]
    done = tree.run(*argv)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = reports(tree)
    assert json.loads(report.read_text())["header"]["command"] == command
    report.with_suffix(".md").unlink()
    report.unlink()
    assert tree.run(*argv, "--check").returncode != 0  # there is no journal to read
    assert reports(tree) == []


def test_a_read_only_play_opens_no_transaction(tree: Tree) -> None:
    playbook = tree.write(
        "playbooks/status.yml",
        """\
- hosts: gateway
  gather_facts: false
  tasks:
    - echo_step: {text: hello}
      register: result
    - assert: {that: result.transaction is none}
""",
    )
    done = tree.run("ansible-playbook", str(playbook))
    assert done.returncode == 0, done.stdout + done.stderr
    assert reports(tree) == []


def test_a_second_run_is_refused_and_an_interrupted_one_reported(tree: Tree, deploy: Path) -> None:
    first = subprocess.Popen(
        ["ansible-playbook", str(deploy), "-e", "mode=sleep"],
        cwd=tree.project,
        env=tree.environ({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert first.stdout is not None
        while "gateway: hello" not in first.stdout.readline():
            assert first.poll() is None
        second = tree.run("ansible-playbook", str(deploy))
        assert second.returncode == 75
        assert f"pid {first.pid}" in second.stderr
        first.send_signal(signal.SIGINT)
        started = time.monotonic()
        first.communicate(timeout=120)
        assert time.monotonic() - started < 10
    finally:
        first.kill()
    (report,) = reports(tree)
    assert json.loads(report.read_text())["outcome"] == "interrupted"
    assert not [line for line in processes() if f"sleep {SLEEP}" in line]


def processes() -> list[str]:
    return subprocess.run(
        ["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()


# -- pure parts


class Text(str):
    """A subclass, as Ansible's tagged strings are."""


def test_plain() -> None:
    found = plain({Text("a"): [Text("b"), (1, 2.5, True, None)], "c": {Text("d")}})
    assert found == {"a": ["b", [1, 2.5, True, None]], "c": ["d"]}
    assert {type(key) for key in found} == {str}
    assert type(found["a"][0]) is str
    assert found["a"][1][2] is True


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[31mb\x1b[0m", "a b"), ("a\nb\tc", "a b c"), ("\x07", ""), ("grün", "grün")],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_progress_line() -> None:
    assert progress_line({"component": "gateway", "text": "pushed"}) == "gateway: pushed"
    assert progress_line({"component": None, "text": "planned"}) == "planned"
