"""The measurements as markdown, and its place between two comments of a document."""

from __future__ import annotations

from pathlib import Path

BEGIN = "<!-- bench:begin (written by `make bench`) -->"
END = "<!-- bench:end -->"


def rows(head: list[str], body: list[list[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *body)]
    return "\n".join(lines)


def write(document: Path, text: str) -> None:
    """Replace what the document has between the two comments."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{document} lacks the comments {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
