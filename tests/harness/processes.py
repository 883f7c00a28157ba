"""The processes of a run, found by a mark in their environment: by /proc alone."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

MARK = "LOCALLOOP_E2E_RUN"


def marked(mark: str) -> dict[int, str]:
    """The live processes whose environment carries the mark: pid → command line."""
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
    """SIGKILL to the whole tree of a run, as if the machine had taken it away at once.

    ``but``: the name of a tool that is left alone.
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
    """Those that are still there after a moment in which they may go."""
    deadline = time.monotonic() + within
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
