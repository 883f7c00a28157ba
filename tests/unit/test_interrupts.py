"""Ctrl-C when Ansible's own handlers would lose it or hang: in real processes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from ansible_tree import SLEEP, Tree

# -- a worker

WORKER = """
import os, signal, sys, threading, time
from localloop.ansible.interrupts import StepInterrupts

interrupts = StepInterrupts()

def say(text):
    sys.stdout.write(text + "\\n")
    sys.stdout.flush()

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)

"""


def worker(script: str) -> tuple[int, list[str]]:
    """The exit status of a worker that runs the script, and its output."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER + script],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.split()


def test_a_step_is_unwound_once() -> None:
    found = worker("""
with interrupts.unwinding():
    try:
        interrupt()
        say("never")
    finally:
        interrupt()
        with interrupts.sending():
            say("cleaned")
say("never")
""")
    assert found == (130, ["cleaned"])


def test_a_message_is_sent_completely() -> None:
    found = worker("""
with interrupts.unwinding():
    with interrupts.sending():
        interrupt()
        say("whole")
    say("never")
""")
    assert found == (130, ["whole"])


def test_a_message_from_another_thread_is_sent_completely() -> None:
    found = worker("""
began = threading.Event()

def send():
    with interrupts.sending():
        began.set()
        time.sleep(0.3)
        say("whole")

with interrupts.unwinding():
    threading.Thread(target=send, daemon=True).start()
    began.wait()
    interrupt()
    say("never")
""")
    assert found == (130, ["whole"])


def test_a_worker_reports_its_result_after_the_step() -> None:
    found = worker("""
with interrupts.unwinding():
    pass
interrupt()
say("result")
with interrupts.unwinding():
    say("never")
""")
    assert found == (130, ["result"])


def test_a_keyboard_interrupt_that_the_step_raised_propagates() -> None:
    found = worker("""
try:
    with interrupts.unwinding():
        raise KeyboardInterrupt
except KeyboardInterrupt:
    say("passed on")
""")
    assert found == (0, ["passed", "on"])


# -- a run

PLAYBOOK = "- hosts: gateway\n  gather_facts: false\n  tasks:\n" + "".join(
    f"    - {{name: Step {number}, echo_step: {{text: hello, mode: {mode}}}}}\n"
    for number, mode in enumerate([*["echo"] * 8, "sleep"])
)

# An exception in an after-fork callback is lost: Python prints it and goes on.
FORK = """
import os, signal

def interrupt():
    for _ in range(int(os.environ.pop("TEST_INTERRUPT_TIMES", "0"))):
        if os.environ["TEST_INTERRUPT_GROUP"] == "1":
            os.killpg(0, signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)

os.register_at_fork(after_in_parent=interrupt)
"""


@pytest.fixture
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("tree"))  # a short path: Ansible has sockets below it
    tree.write("playbooks/deploy-fast.yml", PLAYBOOK)
    return tree


def start(tree: Tree, extra: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["ansible-playbook", str(tree.content / "playbooks/deploy-fast.yml")],
        cwd=tree.project,
        env=tree.environ({"PYTHONUNBUFFERED": "1", **extra}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(tree: Tree, run: subprocess.Popen[str]) -> None:
    """The run ends soon, reports it, and leaves nothing behind."""
    try:
        text = run.communicate(timeout=12)[0]
    finally:
        run.kill()
    assert run.returncode == 99, text
    assert "Traceback" not in text
    (report,) = sorted((tree.project / ".cache" / "deploy-reports").glob("*.json"))
    assert json.loads(report.read_text())["outcome"] == "interrupted", text
    table = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True)
    assert f"sleep {SLEEP}" not in table.stdout.splitlines()


@pytest.mark.parametrize("group", ["0", "1"])
@pytest.mark.parametrize("times", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_an_interrupt_while_a_worker_is_forked(tree: Tree, group: str, times: str) -> None:
    tree.write("src/sitecustomize.py", FORK)
    run = start(tree, {"TEST_INTERRUPT_TIMES": times, "TEST_INTERRUPT_GROUP": group})
    ended(tree, run)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(12))
def test_an_interrupt_at_any_moment(tree: Tree, number: int) -> None:
    run = start(tree, {})
    assert run.stdout is not None
    while "gateway: hello" not in run.stdout.readline():
        assert run.poll() is None
    time.sleep(random.Random(number).uniform(0, 0.8))
    run.send_signal(signal.SIGINT)
    ended(tree, run)
