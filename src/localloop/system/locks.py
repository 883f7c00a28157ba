"""Locks: ``flock`` on files that are never deleted.

A run holds its cluster's lock (shared; exclusive while it creates or repairs the cluster) and its
project's lock on that cluster (exclusive). They belong to the process that lives as long as the
run, so the kernel releases them whatever happens to it. The *step lock* is another file. The tool
that changes the cluster inherits its descriptor, so if a run is killed while helm is still
working, the next run waits for helm.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import BusyError, LocalloopError
from .paths import state_dir

STEP_LOCK_WAIT_SECONDS = 30.0
ATTEMPTS = 3


def lock_path(kind: str, *parts: str) -> Path:
    """The file of a lock; ``kind`` is ``cluster``, ``project`` or ``step``."""
    text = "\0".join(parts)
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(parts))[:60]
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return state_dir() / "locks" / f"{kind}-{readable}-{digest}.lock"


_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, _FLAGS, 0o600)
    except OSError as error:
        raise LocalloopError(
            "state_unwritable",
            f"cannot open the lock {path}: {error.strerror} (errno {error.errno})",
            hint="Make the directory writable or set XDG_STATE_HOME to one that is.",
        ) from error


def _try(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_for_a_moment(descriptor: int, mode: int) -> bool:
    # Another process may hold the lock for some microseconds in ``is_held``: that is not a run.
    for _ in range(ATTEMPTS):
        if _try(descriptor, mode):
            return True
        time.sleep(0.02)
    return _try(descriptor, mode)


def holder_of(path: Path) -> dict[str, Any]:
    """What the last that took the lock wrote about itself; empty if that cannot be read."""
    return next(reversed(_written(path)), {})


def _written(path: Path) -> list[dict[str, Any]]:
    # Shared holders write a line each.
    try:
        found = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        return []
    return [entry for entry in found if isinstance(entry, dict)]


def _another_holder(path: Path, me: dict[str, Any]) -> dict[str, Any]:
    """The last other one that took the lock, preferably one whose process lives; else empty."""
    others = [entry for entry in _written(path) if entry != me]
    alive = [entry for entry in others if Path(f"/proc/{entry.get('pid')}").exists()]
    return next(reversed(alive or others), {})


def is_held(path: Path) -> bool:
    """Whether any process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


class Lock:
    """One flock, held until ``release`` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, holder: dict[str, Any], *, exclusive: bool) -> None:
        """Take the lock, or convert it between shared and exclusive; does not wait.

        Raises ``BusyError`` with the holder if another run has it, and ``LocalloopError``
        (``state_unwritable``) if its file cannot be opened.
        """
        descriptor = self._descriptor if self._descriptor is not None else _open(self.path)
        alone = _try(descriptor, fcntl.LOCK_EX)
        if not _try_for_a_moment(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH):
            if self._descriptor is None:
                os.close(descriptor)
            else:  # a flock that cannot be converted is lost: take back what was held
                _try(descriptor, fcntl.LOCK_SH)
            raise self._busy(holder)
        self._descriptor = descriptor
        if alone or exclusive:
            os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{json.dumps(holder)}\n".encode())

    def _busy(self, holder: dict[str, Any]) -> BusyError:
        other = _another_holder(self.path, holder)
        who = (
            f"{other.get('command', 'a run')} {other.get('transaction', '?')}"
            f" of {other.get('root', '?')} (pid {other.get('pid', '?')})"
            f" has held it since {other.get('since', '?')}"
        )
        return BusyError(
            "locked",
            f"another run holds the lock: {who}",
            hint="Wait for it to finish, or stop it, then run again.",
            details={"holder": other},
        )

    def release(self) -> None:
        """Release the lock if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def step_lock(path: Path, holder: dict[str, Any]) -> Iterator[int]:
    """Hold the step lock; yields its descriptor, for ``pass_fds`` of the tool that runs under it.

    Raises ``BusyError`` (``tool_still_running``) after ``STEP_LOCK_WAIT_SECONDS``.
    """
    descriptor = _open(path)
    try:
        _wait_for(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def wait_for_step(path: Path) -> None:
    """Wait until no tool of an earlier run is still working.

    Raises ``BusyError`` (``tool_still_running``) after ``STEP_LOCK_WAIT_SECONDS``.
    """
    if path.exists():
        descriptor = _open(path)
        try:
            _wait_for(descriptor, path)
        finally:
            os.close(descriptor)


def _wait_for(descriptor: int, path: Path) -> None:
    # flock has no timeout; a tool that outlives its run is rare and ends on its own.
    deadline = time.monotonic() + STEP_LOCK_WAIT_SECONDS
    while not _try(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            other = holder_of(path)
            raise BusyError(
                "tool_still_running",
                f"{other.get('tool', 'a tool')} of {other.get('transaction', 'an earlier run')}"
                f" is still running (started by pid {other.get('pid', '?')})",
                hint="Wait for it to finish, or stop it, then run again.",
                details={"holder": other},
            )
        time.sleep(0.1)
