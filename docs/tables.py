"""``make docs``: the tables of troubleshooting.md that the code has the words for.

``--check`` writes nothing and exits 1 where the page is not what it would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from localloop.readiness.causes import CAUSES
from localloop.readiness.reasons import REASONS, FailureReason

PAGE = Path(__file__).with_name("troubleshooting.md")
BEGIN = "<!-- {0}:begin (written by `make docs` from src/localloop/readiness/{0}s.py) -->\n"
END = "<!-- {0}:end -->"


def table(title: str, rows: Iterable[FailureReason]) -> str:
    """One row a name: what it means, and what to do."""
    lines = [f"| {title} | what happened | what to do |", "|---|---|---|"]
    for row in rows:
        cells = (f"`{row.name}`", row.meaning, row.next_step)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with its tables made anew."""
    for name, rows in (("reason", REASONS), ("cause", CAUSES)):
        before, begin, rest = text.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        if not (begin and end):
            raise SystemExit(f"{PAGE} lacks the comments of the table of {name}s")
        text = f"{before}{begin}\n{table(name, rows)}\n\n{end}{after}"
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
