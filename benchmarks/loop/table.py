"""The measurements as markdown, and their place between two comments of a document."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"


def rows(head: list[str], body: list[list[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *body)]
    return "\n".join(lines)


def write(command: str, text: str) -> None:
    """Replace the text between the two comments of ``make COMMAND`` in docs/performance.md."""
    begin, end = (
        f"<!-- {command}:begin (written by `make {command}`) -->",
        f"<!-- {command}:end -->",
    )
    before, found, rest = DOCUMENT.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{DOCUMENT} lacks the comments {begin} and {end}")
    DOCUMENT.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
