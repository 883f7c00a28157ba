"""The descendants of this process: found, remembered and killed, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from localloop.system.processes import Descendants

# A child in a session of its own, with a child of its own in yet another one.
SCRIPT = """
import subprocess, sys, time
child = subprocess.Popen(["sleep", "61"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(61)
"""


@pytest.fixture
def tree() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A child of this process, and the pid of its own child."""
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    yield child, grandchild
    for pid in (child.pid, grandchild):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    child.communicate()


def pids(descendants: Descendants) -> set[int]:
    return {process.pid for process in descendants.alive()}


def eventually(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not check() and time.monotonic() < deadline:
        time.sleep(0.01)
    return check()


def test_descendants_are_found_and_killed(tree: tuple[subprocess.Popen[str], int]) -> None:
    child, grandchild = tree
    descendants = Descendants()
    assert {child.pid, grandchild} <= pids(descendants)
    assert os.getpid() not in pids(descendants)
    descendants.kill()
    # A zombie counts as gone: the child has not been waited for yet.
    assert eventually(lambda: not {child.pid, grandchild} & pids(descendants))
    assert child.wait(timeout=5) == -signal.SIGKILL


def test_a_descendant_is_remembered_after_its_parent_ended(
    tree: tuple[subprocess.Popen[str], int],
) -> None:
    child, grandchild = tree
    descendants, late = Descendants(), Descendants()
    assert grandchild in pids(descendants)
    child.kill()
    child.wait(timeout=5)
    assert grandchild in pids(descendants)
    assert grandchild not in pids(late)
    descendants.kill()
    assert eventually(lambda: not descendants.alive())


def test_our_own_group_survives() -> None:
    """A child in this process's group is killed alone."""
    code = (
        "import subprocess; from localloop.system.processes import Descendants;"
        "child = subprocess.Popen(['sleep', '61']); Descendants().kill();"
        "print(child.wait(timeout=5))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "-9"), done.stderr
