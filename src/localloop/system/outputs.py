"""The output of a command that stands in the project's configuration."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import LocalloopError
from . import tools


class CommandError(Exception):
    """A command that gave no output; the text says why, the command included."""


def output_of(command: Sequence[str], *, timeout: float, root: Path) -> str:
    """What the command prints, run in ``root`` for at most ``timeout`` seconds.

    Raises ``CommandError`` if it cannot be started, fails, or takes longer.
    """
    try:
        done = tools.run(command, timeout=timeout, cwd=root)
    except OSError as error:
        why = f"cannot be started: {error.strerror or error}"
    except LocalloopError as error:
        if error.reason != "tool_timeout":
            raise
        why = f"did not end within {timeout:g} s"
    else:
        if done.returncode == 0:
            return done.stdout
        why = f"ended with {done.returncode}: {done.stderr.strip()[-200:]}"
    raise CommandError(f"`{shlex.join(command)}` {why}")
