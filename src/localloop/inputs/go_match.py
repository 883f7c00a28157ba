"""Go's ``filepath.Match`` and ``filepath.Clean``, with the patterns as Python expressions."""

from __future__ import annotations

import posixpath
import re

# What Go's strings.TrimSpace removes; Python's str.strip removes more.
GO_WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B)
)


class BadPatternError(ValueError):
    """The pattern is malformed, or has a meaning that cannot be reproduced here."""


def clean_path(path: str) -> str:
    """Go's ``filepath.Clean`` on Unix."""
    path = posixpath.normpath(path)
    return path[1:] if path.startswith("//") else path


def translate(pattern: str) -> str:
    """A ``filepath.Match`` pattern as a regular expression without anchors.

    Raises BadPatternError where Go returns ``ErrBadPattern``.
    """
    out: list[str] = []
    index, end = 0, len(pattern)
    while index < end:
        char = pattern[index]
        index += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\":
            if index == end:
                raise BadPatternError("a trailing backslash")
            out.append(re.escape(pattern[index]))
            index += 1
        elif char == "[":
            text, index = _class(pattern, index)
            out.append(text)
        else:
            out.append(re.escape(char))
    return "".join(out)


def _class(pattern: str, index: int) -> tuple[str, int]:
    """A character class, from behind its bracket; as in Go it may match a slash."""
    negated = pattern.startswith("^", index)
    index += negated
    ranges: list[str] = []
    while True:
        if ranges and pattern.startswith("]", index):
            return _render(negated, ranges), index + 1
        low, index = _char(pattern, index)
        high = low
        if pattern.startswith("-", index):
            high, index = _char(pattern, index + 1)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:  # a reversed range is legal in Go and matches nothing
            ranges.append("")


def _render(negated: bool, ranges: list[str]) -> str:
    body = "".join(ranges)
    if not body:
        return "(?s:.)" if negated else "(?!)"
    return f"[{'^' if negated else ''}{body}]"


def _char(pattern: str, index: int) -> tuple[str, int]:
    if index >= len(pattern) or pattern[index] in "-]":
        raise BadPatternError("a malformed character class")
    if pattern[index] == "\\":
        index += 1
        if index >= len(pattern):
            raise BadPatternError("a malformed character class")
    if index + 1 >= len(pattern):
        raise BadPatternError("an unclosed character class")
    return pattern[index], index + 1


def compile_match(pattern: str) -> re.Pattern[str]:
    """A ``filepath.Match`` pattern as a compiled expression, for ``fullmatch``."""
    return re.compile(translate(pattern))
