"""``{$command: [PROGRAM, ARGUMENT…]}`` in chart values: the command's output is the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

COMMAND = "$command"

Command = tuple[str, ...]


def is_command(value: Any) -> bool:
    """Whether a value is to be replaced by the output of a command."""
    return isinstance(value, Mapping) and COMMAND in value


def with_outputs(value: Any, output: Callable[[Command], str]) -> Any:
    """A value with every command replaced by its ``output``, in which no ``$`` is a
    placeholder's."""
    if is_command(value):
        return output(tuple(value[COMMAND])).replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: with_outputs(item, output) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_outputs(item, output) for item in value]
    return value
