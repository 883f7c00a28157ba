"""The processes of a run, found in /proc by a mark in their environment."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

MARK = "LOCALLOOP_E2E_RUN"


def marked(mark: str) -> dict[int, str]:
    """The live processes whose environment has the mark: pid → command line."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = words.decode(errors="replace").strip()
    return found


def kill_all(mark: str, *, but: str = "") -> None:
    """SIGKILL to all processes of a run at once, as if the machine had failed.

    ``but``: the name of a tool that is not killed.
    """

    def left() -> list[int]:
        found = marked(mark).items()
        return [pid for pid, words in found if not but or Path(words.partition(" ")[0]).name != but]

    deadline = time.monotonic() + 10
    while pids := left():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"cannot be killed: {pids}"
        time.sleep(0.02)


def left_behind(mark: str, *, within: float = 2.0) -> dict[int, str]:
    """The processes that are still there after a moment's grace."""
    deadline = time.monotonic() + within
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
