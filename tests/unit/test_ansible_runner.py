"""How Ansible is called: argv, environment, signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_tree import SLEEP, Tree

from localloop.ansible import runner
from localloop.report.journal import Journal
from localloop.system.paths import content_dir

BIN = str(Path(sys.executable).parent)
CONTENT = str(content_dir())

HOSTILE = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/home/u",
    "TERM": "xterm",
    "NO_COLOR": "1",
    "DOCKER_HOST": "unix:///run/docker.sock",
    "XDG_STATE_HOME": "/home/u/.state",
    "LOCALLOOP_PROFILE": "release",
    "CLUSTER_NAME": "c1",
    "https_proxy": "http://proxy:3128",
    "SSL_CERT_FILE": "/etc/ca.pem",
    "LC_ALL": "C.UTF-8",
    # none of these:
    "ANSIBLE_CONFIG": "/evil/ansible.cfg",
    "ANSIBLE_CALLBACK_PLUGINS": "/evil",
    "ANSIBLE_STDOUT_CALLBACK": "evil",
    "AWX_LIB_DIRECTORY": "/evil",
    "PYTHONPATH": "/evil",
    "PYTHONSTARTUP": "/evil/start.py",
    "LD_PRELOAD": "/evil/lib.so",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
}


def made(private: Path) -> dict[str, str]:
    return runner.environment(
        HOSTILE,
        private=private,
        project_root=Path("/project"),
        transaction=Journal("tx-1", Path("/project/j.jsonl"), Path("/state/p.lock")),
        extra={"VERSION": "v1"},
        direct_hosts=["10.1.2.3"],
        color=False,
    )


def test_environment_and_argv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HOSTILE.items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    config = runner.configure("deploy-fast.yml", private=tmp_path, environ=made(tmp_path))
    assert config.command == [
        f"{BIN}/ansible-playbook",
        f"{CONTENT}/playbooks/deploy-fast.yml",
    ]
    callbacks = config.env.pop("ANSIBLE_CALLBACK_PLUGINS").split(":")
    assert callbacks[0] == f"{CONTENT}/playbooks/callback_plugins"
    assert [Path(each).name for each in callbacks[1:]] == ["callback"]
    assert "ansible_runner" in callbacks[1]
    assert config.env == {
        "ANSIBLE_CONFIG": f"{CONTENT}/ansible.cfg",
        "ANSIBLE_HOME": f"{tmp_path}/ansible",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_REMOTE_TMP": f"{tmp_path}/ansible/tmp",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
        "AWX_ISOLATED_DATA_DIR": f"{tmp_path}/artifacts/run",
        "CLUSTER_NAME": "c1",
        "DOCKER_HOST": "unix:///run/docker.sock",
        "HOME": "/home/u",
        "LC_ALL": "C.UTF-8",
        "LOCALLOOP_JOURNAL": "/project/j.jsonl",
        "LOCALLOOP_LOCK": "/state/p.lock",
        "LOCALLOOP_PLAN": "",
        "LOCALLOOP_PROFILE": "release",
        "LOCALLOOP_PROJECT": "/project",
        "LOCALLOOP_TRANSACTION": "tx-1",
        "NO_COLOR": "1",
        "PATH": "/usr/bin:/bin",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "TERM": "xterm",
        "VERSION": "v1",
        "XDG_STATE_HOME": "/home/u/.state",
        "NO_PROXY": "localhost,127.0.0.1,127.0.0.0/8,::1,0.0.0.0,10.1.2.3",
        "https_proxy": "http://proxy:3128",
        "no_proxy": "localhost,127.0.0.1,127.0.0.0/8,::1,0.0.0.0,10.1.2.3",
    }
    assert config.cwd == str(tmp_path)


def test_extra_variables_keep_their_types(tmp_path: Path) -> None:
    config = runner.configure(
        "down.yml",
        private=tmp_path,
        environ=made(tmp_path),
        variables={"down_cluster": True, "down_force": False},
    )
    option, given, playbook = config.command[1:]
    assert (option, playbook) == ("-e", f"{CONTENT}/playbooks/down.yml")
    assert json.loads(given) == {"down_cluster": True, "down_force": False}


# -- real runs, each in a process of its own (signals)

SCRIPT = """
import json, os, sys
from pathlib import Path
from localloop.ansible.runner import run_playbook
from localloop.transaction.transaction import open_transaction

root = Path.cwd()
opened = open_transaction(root, command="deploy", project="relay", cluster="auto/relay",
                          details={}, environ=os.environ)
extra = {"PYTHONPATH": os.environ["PYTHONPATH"]}
plan = json.loads(sys.argv[2]) if sys.argv[2:] else None
outcome = run_playbook(sys.argv[1], project_root=root, transaction=opened, extra_environ=extra,
                       plan=plan, on_line=lambda line: print(line, flush=True))
events = opened.events()
opened.close()
print(json.dumps({"rc": outcome.rc, "interrupted": outcome.interrupted,
                  "failed": [[f.task, f.message] for f in outcome.failed],
                  "said": outcome.said,
                  "events": events}))
"""


PASSES_A_PLAN = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: The step
      echo_step:
        text: "{{ found.transaction == run }} {{ found.plan.of }}"
      vars:
        run: "{{ lookup('env', 'LOCALLOOP_TRANSACTION') }}"
        found: "{{ lookup('ansible.builtin.file', localloop_plan) | from_json }}"
      run_once: true
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("tree"))
    for mode in ("echo", "fail", "sleep"):
        tree.write(
            f"playbooks/{mode}.yml",
            f"""\
- hosts: all
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - name: The step
      echo_step: {{text: hello, mode: {mode}}}
      run_once: true
""",
        )
    tree.write("playbooks/plan.yml", PASSES_A_PLAN)
    (tree.project / "ansible.cfg").write_text("[defaults]\nstdout_callback = evil\n")
    return tree


@pytest.mark.parametrize(("mode", "rc"), [("echo", 0), ("fail", 2)])
def test_a_run(tree: Tree, mode: str, rc: int) -> None:
    done = tree.run(sys.executable, "-c", SCRIPT, f"{mode}.yml")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found = json.loads(lines[-1])
    assert (found["rc"], found["interrupted"]) == (rc, False)
    assert "gateway: hello" in lines
    assert not [line for line in lines if "\x1b" in line]
    assert [event["event"] for event in found["events"]][:3] == ["opened", "playbook", "progress"]
    if mode == "fail":
        ((task, message),) = found["failed"]
        assert task == "The step"
        assert message.startswith("gateway: no luck")
    else:
        assert found["failed"] == []
    assert not list(tree.temporary.glob("localloop-*"))


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LANG": "xx_XX.UTF-8"}])
def test_a_run_in_a_locale_that_ansible_refuses(tree: Tree, locale: dict[str, str]) -> None:
    done = tree.run(sys.executable, "-c", SCRIPT, "echo.yml", extra={"LANG": "", **locale})
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["rc"], found["failed"]) == (0, []), found["said"]


def test_what_a_playbook_says_that_cannot_start(tree: Tree) -> None:
    tree.write("playbooks/broken.yml", "- hosts: [\n")
    done = tree.run(sys.executable, "-c", SCRIPT, "broken.yml")
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rc"] == 4
    assert "YAML parsing failed" in " ".join(found["said"])


def test_a_plan_is_passed_as_data(tree: Tree) -> None:
    """It contains file names, which may look like templates."""
    plan = {"of": "{{ 6 * 7 }}.txt"}
    done = tree.run(sys.executable, "-c", SCRIPT, "plan.yml", json.dumps(plan))
    assert "gateway: True {{ 6 * 7 }}.txt" in done.stdout.splitlines(), done.stdout + done.stderr
    assert not list(tree.temporary.glob("localloop-*"))


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT] * 2])
def test_an_interrupted_run_leaves_nothing(tree: Tree, signals: list[signal.Signals]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "sleep.yml"],
        cwd=tree.project,
        env=tree.environ(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert child.stdout is not None
        while "gateway: hello" not in child.stdout.readline():
            assert child.poll() is None
        time.sleep(0.3)
        started = time.monotonic()
        for each in signals:
            child.send_signal(each)
            time.sleep(0.05)
        found = json.loads(child.communicate(timeout=120)[0].splitlines()[-1])
        assert time.monotonic() - started < 8
    finally:
        child.kill()
    assert found["interrupted"] is True
    table = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True)
    assert f"sleep {SLEEP}" not in table.stdout.splitlines()
    assert not list(tree.temporary.glob("localloop-*"))


SLOW_START = """
import pathlib, sys, time

if any(word.endswith("ansible-playbook") for word in sys.orig_argv):
    pathlib.Path({path!r}).touch()
    time.sleep(60)
"""


def test_a_playbook_that_is_still_starting_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Ctrl-C would make it print a traceback of its imports."""
    tree = Tree(tmp_path_factory.mktemp("tree"))
    tree.write("playbooks/echo.yml", "- hosts: all\n")
    begun = tree.temporary / "begun"
    tree.write("src/sitecustomize.py", SLOW_START.format(path=str(begun)))
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "echo.yml"],
        cwd=tree.project,
        env=tree.environ(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 20
        while not begun.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        *said, last = child.communicate(timeout=120)[0].splitlines()
        assert time.monotonic() - started < 5
    finally:
        child.kill()
    assert said == []
    assert json.loads(last)["interrupted"] is True
