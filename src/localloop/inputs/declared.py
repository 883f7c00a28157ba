"""Declared inputs: patterns in the language of ignore files that are to match something, each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .go_match import GO_WHITESPACE, clean_path
from .ignore import Pattern
from .tree import Tree, tree_entries

EVERYTHING = "**"
_WILD = "*?[\\|^"


def to_ignore_pattern(pattern: str) -> str:
    """An input as the ignore pattern that brings it back; one with ``!`` leaves out."""
    if pattern.startswith("!"):
        return normalised(pattern[1:])
    return "!" + normalised(pattern)


def normalised(pattern: str) -> str:
    """A pattern as ignore files have it: ``./src/`` is ``src``, and ``.`` everything."""
    text = clean_path(pattern.strip(GO_WHITESPACE)).removeprefix("/")
    return EVERYTHING if text in (".", "") else text


def unmatched_inputs(inputs: Iterable[str], tree: Tree) -> list[str]:
    """Those of ``inputs`` that bring nothing of the tree in."""
    return [each for each in inputs if not each.startswith("!") and not _matches(each, tree)]


def _matches(pattern: str, tree: Tree) -> bool:
    text = normalised(pattern)
    return any(map(Pattern(text).match, _candidates(text, tree)))


def _candidates(pattern: str, tree: Tree) -> Iterator[str]:
    """What of the tree a pattern can match at all: most need a look into few folders only."""
    parts = pattern.split("/")
    wild = [number for number, part in enumerate(parts) if any(char in part for char in _WILD)]
    above = "/".join(parts[: wild[0] if wild else -1])
    if "|" in pattern:  # what stands behind it may begin anywhere
        above = ""
    for folder, (_, section) in tree.items():
        path = folder.decode("utf-8", "surrogateescape")
        below = wild and f"{path}/".startswith(above and f"{above}/")
        if not below and path not in (above, pattern):
            continue
        if path:
            yield path
        prefix = path and f"{path}/"
        for name, _ in tree_entries(section):
            yield prefix + name.decode("utf-8", "surrogateescape")
