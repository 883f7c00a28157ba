"""Locks between real processes: who is refused, who is named, and when a lock is free again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localloop.errors import BusyError, LocalloopError
from localloop.system import locks
from localloop.system.locks import Lock, holder_of, is_held, lock_path, step_lock, wait_for_step

HOLDER = """
import json, os, sys, time
from pathlib import Path
from localloop.system.locks import Lock
holder = {"pid": os.getpid(), "transaction": "tx-theirs", "command": "deploy", "root": "/other",
          "since": "2026-01-01T00:00:00.000Z"}
Lock(Path(sys.argv[1])).acquire(holder, exclusive=sys.argv[2] == "exclusive")
print("held", flush=True)
sys.stdin.read()
"""
# Takes the step lock and exits; the process that it started keeps the descriptor.
STEP = """
import os, subprocess, sys
from pathlib import Path
from localloop.system.locks import step_lock
holder = {"pid": os.getpid(), "transaction": "tx-dead", "tool": "helm"}
with step_lock(Path(sys.argv[1]), holder) as descriptor:
    subprocess.Popen(["sh", "-c", "read line"], stdin=0, pass_fds=(descriptor,))
    print("held", flush=True)
    os.kill(os.getpid(), 9)
"""
ME = {"pid": os.getpid(), "transaction": "tx-mine", "command": "deploy"}


@contextmanager
def process(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has said "held"; its standard input ends with the block."""
    found = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert found.stdin is not None
    assert found.stdout is not None
    try:
        assert found.stdout.readline() == "held\n"
        yield found
    finally:
        found.stdin.close()
        found.wait(timeout=10)
        found.stdout.close()


@pytest.fixture
def path(own_state_home: Path) -> Path:
    return lock_path("project", "kind/hello", "hello")


def test_lock_files_are_in_the_state_home(own_state_home: Path, path: Path) -> None:
    assert path.parent == own_state_home / "localloop" / "locks"
    assert path.name.startswith("project-kind-hello-hello-")
    Lock(path).acquire(ME, exclusive=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_names_that_look_alike_are_different_locks() -> None:
    found = {
        lock_path("project", "a", "b/c"),
        lock_path("project", "a/b", "c"),
        lock_path("project", "a-b-c"),
        lock_path("cluster", "a-b-c"),
        lock_path("project", "../" * 40 + "etc/passwd"),
    }
    assert len(found) == 5
    assert len({entry.parent for entry in found}) == 1


def test_exclusive_against_exclusive_names_the_holder(path: Path) -> None:
    with process(HOLDER, path, "exclusive") as other:
        started = time.monotonic()
        with pytest.raises(BusyError) as caught:
            Lock(path).acquire(ME, exclusive=True)
        assert time.monotonic() - started < 2
        assert is_held(path)
        assert holder_of(path)["transaction"] == "tx-theirs"
    error = caught.value
    assert (error.reason, error.exit_code) == ("locked", 75)
    assert (
        f"deploy tx-theirs of /other (pid {other.pid}) has held it since 2026-01-01T00:00:00.000Z"
        in str(error)
    )
    assert error.details["holder"]["pid"] == other.pid


def test_shared_holders_share(path: Path) -> None:
    with process(HOLDER, path, "shared"), process(HOLDER, path, "shared"):
        mine = Lock(path)
        mine.acquire(ME, exclusive=False)
        mine.release()


def test_shared_against_exclusive(path: Path) -> None:
    with process(HOLDER, path, "shared"), pytest.raises(BusyError):
        Lock(path).acquire(ME, exclusive=True)
    with process(HOLDER, path, "exclusive"), pytest.raises(BusyError):
        Lock(path).acquire(ME, exclusive=False)


def test_conversion(path: Path) -> None:
    mine, other = Lock(path), Lock(path)
    mine.acquire(ME, exclusive=False)
    mine.acquire(ME, exclusive=True)
    with pytest.raises(BusyError):
        other.acquire(ME, exclusive=False)
    mine.acquire(ME, exclusive=False)
    other.acquire(ME, exclusive=False)


def test_failed_conversion_keeps_the_lock(path: Path) -> None:
    mine, third = Lock(path), Lock(path)
    mine.acquire(ME, exclusive=False)
    with process(HOLDER, path, "shared"), pytest.raises(BusyError):
        mine.acquire(ME, exclusive=True)
    with pytest.raises(BusyError):
        third.acquire(ME, exclusive=True)


@pytest.mark.parametrize("mine_first", [True, False])
def test_failed_conversion_names_the_other_holder(path: Path, mine_first: bool) -> None:
    mine, stale = Lock(path), Lock(path)
    stale.acquire({**ME, "pid": 2**22 + 1, "transaction": "tx-ended"}, exclusive=False)
    if mine_first:
        mine.acquire(ME, exclusive=False)
    with process(HOLDER, path, "shared") as other:
        stale.release()
        if not mine_first:
            mine.acquire(ME, exclusive=False)
        with pytest.raises(BusyError) as caught:
            mine.acquire(ME, exclusive=True)
    assert caught.value.details["holder"]["pid"] == other.pid


def test_the_holders_of_a_lock_do_not_pile_up(path: Path) -> None:
    for exclusive in (False, True, False):
        mine = Lock(path)
        mine.acquire(ME, exclusive=exclusive)
        mine.release()
    assert len(path.read_text().splitlines()) == 1


def test_killed_holder_leaves_the_lock_free(path: Path) -> None:
    with process(HOLDER, path, "exclusive") as other:
        other.send_signal(signal.SIGKILL)
        other.wait(timeout=5)
        assert not is_held(path)
        Lock(path).acquire(ME, exclusive=True)
    assert holder_of(path) == ME


def test_release_keeps_the_file(path: Path) -> None:
    lock = Lock(path)
    lock.acquire(ME, exclusive=True)
    lock.release()
    lock.release()
    assert path.exists()
    assert not is_held(path)
    assert holder_of(path) == ME


def test_lock_is_not_inherited_by_tools(path: Path) -> None:
    lock = Lock(path)
    lock.acquire(ME, exclusive=True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        assert not is_held(path)
        child.kill()


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00", None])
def test_holder_of_an_unreadable_file(path: Path, content: str | None) -> None:
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content)
    assert holder_of(path) == {}
    assert not is_held(path)


def test_lock_does_not_follow_a_symlink(path: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("content")
    path.parent.mkdir(parents=True)
    path.symlink_to(precious)
    with pytest.raises(LocalloopError, match=r"errno 40|errno 62") as caught:
        Lock(path).acquire(ME, exclusive=True)
    assert caught.value.reason == "state_unwritable"
    assert precious.read_text() == "content"


def test_state_home_that_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(LocalloopError, match=r"cannot open the lock .*file/localloop/locks"):
        Lock(lock_path("cluster", "x")).acquire(ME, exclusive=True)


# -- the step lock --------------------------------------------------------------------------------


def test_step_lock_is_free_after_the_block(path: Path) -> None:
    with step_lock(path, ME) as descriptor:
        assert is_held(path)
        assert json.loads(os.pread(descriptor, 1000, 0)) == ME
    assert not is_held(path)
    wait_for_step(path)


def test_no_wait_without_a_step(path: Path) -> None:
    wait_for_step(path)
    assert not path.exists()


def test_tool_that_outlived_its_run_keeps_the_step_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "STEP_LOCK_WAIT_SECONDS", 0.2)
    with process(STEP, path) as dead:
        dead.wait(timeout=5)
        assert dead.returncode == -signal.SIGKILL
        assert is_held(path)
        started = time.monotonic()
        with pytest.raises(BusyError) as caught:
            wait_for_step(path)
        assert time.monotonic() - started < 2
        with pytest.raises(BusyError), step_lock(path, ME):
            pytest.fail("two tools at once")
        assert holder_of(path)["transaction"] == "tx-dead"
    assert (caught.value.reason, caught.value.exit_code) == ("tool_still_running", 75)
    assert f"helm of tx-dead is still running (started by pid {dead.pid})" in str(caught.value)


def test_wait_ends_with_the_tool(path: Path) -> None:
    with process(STEP, path) as dead:
        dead.wait(timeout=5)
        assert is_held(path)
        assert dead.stdin is not None
        dead.stdin.close()  # the tool's read ends, and the tool with it
        wait_for_step(path)
    assert not is_held(path)
