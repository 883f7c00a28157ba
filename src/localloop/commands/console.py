"""Output of a command: text for people, and one JSON document on request."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from .progress import Progress, redraws


@dataclass
class Console:
    """Where output goes: people read stdout; with ``-o json`` stdout is one JSON document.

    ``started``: the ``time.monotonic()`` from which the command counts its seconds.
    """

    as_json: bool = False
    started: float = field(default_factory=time.monotonic)
    color: bool = field(init=False)
    progress: Progress | None = field(init=False)

    def __post_init__(self) -> None:
        stream = sys.stderr if self.as_json else sys.stdout
        self.color = stream.isatty() and not os.environ.get("NO_COLOR")
        self.progress = Progress(stream) if redraws(stream) else None

    def say(self, text: str = "") -> None:
        """Print a line for people."""
        if self.progress:
            self.progress.end()
        print(text, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def update(self, text: str) -> None:
        """A progress line ``SUBJECT: text``; on a terminal it replaces the subject's last one."""
        if self.progress:
            self.progress.show(text)
        else:
            self.say(text)

    def document(self, data: Any) -> None:
        """Print the JSON document if ``-o json`` was given."""
        if self.as_json:
            print(json.dumps(data, indent=2, sort_keys=True, default=str), flush=True)

    def paint(self, text: str, code: str) -> str:
        """The text in a colour or style (an SGR code) where output has colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def table(self, rows: list[list[str]]) -> None:
        """Print rows of cells in columns; the first row is the header."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            line = "  ".join(cells).rstrip()
            self.say(self.paint(line, "1") if number == 0 else line)
