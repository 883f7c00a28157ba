"""The output of a command that a chart value comes from."""

from __future__ import annotations

from pathlib import Path

from ..config.value_commands import SECONDS, TIMEOUT, Command
from ..errors import UsageError


def run_value_command(root: Path, chart: str, path: str, command: Command) -> str:
    """Run the command of the value at ``path``; its output without the newline at the end.

    It runs in the project's directory.

    Raises ``UsageError`` (``value_command_failed``) if it cannot be started, fails, or takes longer
    than its timeout.
    """
    from ..system.outputs import CommandError, output_of

    try:
        return output_of(command.words, timeout=command.timeout, root=root).rstrip("\n")
    except CommandError as error:
        raise UsageError(
            f"value_command_failed:{chart}",
            f"the command of the value {path}, {error}",
            component=chart,
            hint=f"Run it in {root}; if it only takes long, add `{TIMEOUT}: SECONDS` to the"
            f" `$command` (default {SECONDS:g}).",
        ) from error
