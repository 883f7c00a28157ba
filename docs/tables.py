"""``make docs``: the tables of troubleshooting.md that are written from code.

``--check`` writes nothing and exits 1 if the page differs from what it would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import reasons

from localloop.readiness.causes import CAUSES
from localloop.readiness.reasons import REASONS

PAGE = Path(__file__).with_name("troubleshooting.md")
BEGIN = "<!-- {name}:begin (written by `make docs` from {source}) -->\n"
END = "<!-- {name}:end -->"
OURS, GATE = "docs/reasons.py", "src/localloop/readiness/{}s.py"
HAPPENED, DO, MEANS = "what happened", "what to do", "what it means"


class Explained(Protocol):
    """A row of any of the sources."""

    @property
    def name(self) -> str: ...
    @property
    def meaning(self) -> str: ...
    @property
    def next_step(self) -> str: ...


TABLES: dict[str, tuple[str, Sequence[str], Sequence[Explained]]] = {
    "reason": (GATE.format("reason"), ("reason", HAPPENED, DO), REASONS),
    "cause": (GATE.format("cause"), ("cause", HAPPENED, DO), CAUSES),
    "waiting": (OURS, ("state", MEANS), reasons.WAITING),
    "failed": (OURS, ("reason", HAPPENED, DO), reasons.FAILED),
    "refused": (OURS, ("reason", HAPPENED, DO), reasons.REFUSED),
    "busy": (OURS, ("reason", HAPPENED, DO), reasons.BUSY),
    "interrupted": (OURS, ("reason", HAPPENED, DO), reasons.INTERRUPTED),
    "cluster": (OURS, ("reason", HAPPENED, "what a deploy does"), reasons.CLUSTER),
    "reconcile": (OURS, ("reason", MEANS), reasons.RECONCILE),
    "planned": (OURS, ("reason", MEANS), reasons.PLANNED),
    "skipped": (OURS, ("reason", MEANS), reasons.SKIPPED),
}
"""By the name in the page's comments: where the rows are, the columns, the rows."""


def table(columns: Sequence[str], rows: Iterable[Explained]) -> str:
    """A markdown table with one row for each name."""
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = (f"`{row.name}`", row.meaning, row.next_step)[: len(columns)]
        escaped = " | ".join(cell.replace("|", "\\|") for cell in cells)
        lines.append(f"| {escaped} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with its tables written again."""
    for name, (source, columns, rows) in TABLES.items():
        begin, end = BEGIN.format(name=name, source=source), END.format(name=name)
        before, has_begin, rest = text.partition(begin)
        _, has_end, after = rest.partition(end)
        if not (has_begin and has_end):
            raise SystemExit(f"{PAGE} lacks the comments around the table {name!r}")
        text = f"{before}{begin}\n{table(columns, rows)}\n\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    have = PAGE.read_text(encoding="utf-8")
    made = page(have)
    if "--check" in arguments:
        return int(made != have)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
