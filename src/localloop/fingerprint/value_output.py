"""The output of a command that a chart value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import LocalloopError, UsageError

_SECONDS = 30.0


def run_value_command(root: Path, chart: str, command: Sequence[str]) -> str:
    """Run a command in the project's directory; its output without the newline at the end.

    Raises ``UsageError`` (``value_command_failed``) if it cannot be started, fails, or takes more
    than 30 s.
    """
    from ..system import tools

    try:
        done = tools.run(command, timeout=_SECONDS, cwd=root)
        problem = f"ended with {done.returncode}: {done.stderr.strip()[-200:]}"
    except OSError as error:
        problem = f"cannot be started: {error.strerror}"
    except LocalloopError as error:
        problem = error.message
    else:
        if done.returncode == 0:
            return done.stdout.rstrip("\n")
    raise UsageError(
        f"value_command_failed:{chart}",
        f"the command of a value, `{' '.join(command)}`, {problem}",
        component=chart,
        hint=f"Run it in {root}.",
    )
