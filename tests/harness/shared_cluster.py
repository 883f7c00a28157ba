"""One cluster for two workers: the second one lends its own to the third."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .outside import eventually


@contextmanager
def lent(state_home: Path) -> Iterator[None]:
    """Let the other worker use the cluster; at the end, wait until it has finished."""
    ready = state_home / "ready"
    ready.touch()
    try:
        yield
    finally:
        ready.unlink()
        with (state_home / "in-use").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


@contextmanager
def borrowed(state_home: Path) -> Iterator[None]:
    """Use the other worker's cluster, once it is there, with that worker's priority."""
    eventually("the cluster of the other worker", (state_home / "ready").exists, within=600)
    with (state_home / "in-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        yield
