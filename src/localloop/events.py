"""The events of a run, as they are written to its journal and shown on the screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Emit = Callable[[dict[str, Any]], None]


_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text in one line, without control characters and escape sequences."""
    return _CONTROL.sub(" ", text).strip()


def progress_line(event: Mapping[str, Any]) -> str:
    """A ``progress`` event as a line of text: ``gateway: pushed``; empty if it has no text."""
    parts = (event.get("component"), event.get("text"))
    return printable(": ".join(str(part) for part in parts if part))
