"""``{$command: [PROGRAM, ARGUMENT…]}`` in chart values: the command's output is the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

COMMAND, TIMEOUT = "$command", "$timeout"
SECONDS = 30.0  # unless it has a timeout of its own


class Command(NamedTuple):
    """A program with its arguments, and how many seconds it may take."""

    words: tuple[str, ...]
    timeout: float


def is_command(value: Any) -> bool:
    """Whether a value is to be replaced by the output of a command."""
    return isinstance(value, Mapping) and COMMAND in value


def with_outputs(value: Any, output: Callable[[Command, str], str], path: str = "") -> Any:
    """A value with every command replaced by its ``output``, in which no ``$`` is a placeholder's.

    ``output`` is given the command and the dotted path of its value.
    """
    if is_command(value):
        command = Command(tuple(value[COMMAND]), float(value.get(TIMEOUT, SECONDS)))
        return output(command, path).replace("$", "$$")
    if isinstance(value, Mapping):
        below = f"{path}." if path else ""
        return {key: with_outputs(item, output, f"{below}{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_outputs(item, output, f"{path}[{n}]") for n, item in enumerate(value)]
    return value
