"""Progress on a terminal: each subject has one line, which shows its latest message."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import TextIO

from ..system.environ import in_ci


def redraws(stream: TextIO) -> bool:
    """Whether lines can be replaced: on a terminal, but not in CI, where logs are read later."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not in_ci(os.environ)


class Progress:
    """Lines ``SUBJECT: text`` at the end of a terminal's output; a subject keeps its place.

    Lines without a subject scroll up and stay; so do the oldest subjects if there are more than fit
    on the screen.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: dict[str, str] = {}

    def show(self, line: str) -> None:
        """Replace the subject's last line with this one."""
        shown = len(self._lines)
        columns, rows = shutil.get_terminal_size()
        subject, colon, _ = line.partition(": ")
        above = [] if colon else [line]
        if colon:
            self._lines[subject] = line
        while len(self._lines) >= rows:
            above.append(self._lines.pop(next(iter(self._lines))))
        up = f"\x1b[{shown}A\r" if shown else ""
        lines = [*above, *(fitting(line, columns - 1) for line in self._lines.values())]
        self._stream.write(up + "".join(f"{text}\x1b[K\n" for text in lines))
        self._stream.flush()

    def end(self) -> None:
        """Leave all lines as they are, because something else will be printed below them."""
        self._lines.clear()


def fitting(text: str, columns: int) -> str:
    """The part of the text that fits into so many columns of a terminal."""
    if text.isascii():
        return text[:columns]
    taken = 0
    for place, character in enumerate(text):
        wide = unicodedata.east_asian_width(character) in "WF"
        taken += 0 if unicodedata.combining(character) else 1 + wide
        if taken > columns:
            return text[:place]
    return text
