"""Declared inputs: patterns in ignore-file syntax, each of which should match something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .go_match import GO_WHITESPACE, clean_path
from .ignore import Pattern
from .names import path_text
from .tree import Tree, tree_entries

EVERYTHING = "**"
_WILD = "*?[\\|^"


def to_ignore_pattern(pattern: str) -> str:
    """The ignore pattern that re-includes an input; for ``!pattern`` one that excludes."""
    if pattern.startswith("!"):
        return normalised(pattern[1:])
    return "!" + normalised(pattern)


def normalised(pattern: str) -> str:
    """A pattern in the form of ignore files: ``./src/`` becomes ``src``, ``.`` everything."""
    text = clean_path(pattern.strip(GO_WHITESPACE)).removeprefix("/")
    return EVERYTHING if text in (".", "") else text


def unmatched_inputs(inputs: Iterable[str], tree: Tree) -> list[str]:
    """The inputs that match nothing in the tree."""
    return [each for each in inputs if not each.startswith("!") and not _matches(each, tree)]


def _matches(pattern: str, tree: Tree) -> bool:
    text = normalised(pattern)
    return any(map(Pattern(text).match, _candidates(text, tree)))


def _candidates(pattern: str, tree: Tree) -> Iterator[str]:
    """The paths of the tree that a pattern could match: most concern few folders."""
    parts = pattern.split("/")
    wild = [number for number, part in enumerate(parts) if any(char in part for char in _WILD)]
    above = "/".join(parts[: wild[0] if wild else -1])
    if "|" in pattern:  # an alternative may start anywhere
        above = ""
    for folder, (_, section) in tree.items():
        path = path_text(folder)
        below = wild and f"{path}/".startswith(above and f"{above}/")
        if not below and path not in (above, pattern):
            continue
        if path:
            yield path
        prefix = path and f"{path}/"
        for name, _ in tree_entries(section):
            yield prefix + path_text(name)
