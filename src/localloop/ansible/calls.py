"""Calls a step and turns its outcome into a result: shared by action plugins and modules.

This file is part of module payloads, so it imports nothing from Ansible's controller.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import LocalloopError
from ..events import Emit
from ..report.journal import attach
from ..steps.context import Context

Run = Callable[[dict[str, Any], Context], dict[str, Any]]


def plain(value: Any) -> Any:
    """The value in JSON's own types: Ansible passes tagged and lazy subclasses of them."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def failure(error: LocalloopError) -> dict[str, Any]:
    """The result of a failed task, with the error as data."""
    return {
        "failed": True,
        "changed": False,
        "msg": str(error),
        "reason": error.reason,
        "error": error.as_dict(),
    }


def call_step(
    name: str,
    run: Run,
    params: dict[str, Any],
    *,
    check: bool,
    diff: bool,
    environ: Mapping[str, str] = os.environ,
    on_event: Emit | None = None,
    mask: Callable[[Any], Any] = lambda value: value,
) -> dict[str, Any]:
    """Run the step inside the open transaction, if there is one, and return its masked result.

    Events go to the transaction's journal and to ``on_event``. A ``LocalloopError`` becomes a
    ``failed`` event and a failed result; other exceptions propagate. ``diff`` is kept only if
    something changed and diffs were requested.
    """
    journal = attach(environ)

    def emit(event: dict[str, Any]) -> None:
        event = mask(plain(event))
        if journal is not None:
            journal.emit(event)
        if on_event is not None:
            on_event(event)

    context = Context(
        check=check, diff=diff, emit=emit, transaction=journal.id if journal is not None else None
    )
    try:
        if journal is not None:
            journal.require_lock()
        result: dict[str, Any] = {"changed": False, **run(params, context)}
    except LocalloopError as error:
        result = failure(error)
        emit({"event": "failed", "step": name, "error": result["error"]})
    except ModuleNotFoundError as error:
        result = failure(
            LocalloopError(
                "library_missing",
                f"the Python library {error.name!r} is missing on this host",
                hint="Install it for the interpreter that ansible_python_interpreter names.",
            )
        )
    if not (diff and result["changed"]):
        result.pop("diff", None)
    masked: dict[str, Any] = mask(plain(result))
    return masked
