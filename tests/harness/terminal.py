"""A run on a terminal, and what its screen shows at the end."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from collections.abc import Mapping, Sequence

import pyte

COLUMNS, ROWS = 100, 200


def screen_of(argv: Sequence[str], *, env: Mapping[str, str]) -> tuple[list[str], str]:
    """Run a command that has to succeed; the screen's lines, and all that was written to it."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (ROWS, COLUMNS))
    process = subprocess.Popen(
        argv,
        env={**env, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    written = b""
    try:
        while chunk := os.read(leader, 65536):
            written += chunk
    except OSError:  # on Linux: the other end is closed
        pass
    finally:
        os.close(leader)
    text = written.decode()
    assert process.wait(timeout=60) == 0, text
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(text)
    return [line.rstrip() for line in screen.display if line.strip()], text
