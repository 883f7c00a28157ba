"""COPY sources as plain paths: wildcards expanded, links followed, both as BuildKit does."""

# Paths are bytes here: names need not be text.
# ruff: noqa: PTH115, PTH118, PTH208
from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from .go_match import BadPatternError, compile_match
from .names import input_error, path_text, printable_path, unreadable

_MAX_LINKS = 40


def resolve_sources(root: bytes, sources: Iterable[str]) -> set[bytes]:
    """The paths that the sources (Go patterns, relative to ``root``) name.

    A link that is followed counts itself, as well as its target. Raises UsageError for a link that
    loops or leads out of ``root``.
    """
    resolver = _Sources(root)
    for source in sources:
        parts = [part for part in source.split("/") if part not in ("", ".")]
        resolver.expand(b"", parts, 0)
    return resolver.found


def read_link(real: bytes, path: bytes) -> bytes:
    """A link's target, as written; errors name ``path``."""
    try:
        return os.readlink(real)
    except OSError as exc:
        raise unreadable(path, exc) from exc


def list_names(real: bytes, path: bytes) -> list[bytes]:
    """The names in a directory; errors name ``path``."""
    try:
        return os.listdir(real)
    except OSError as exc:
        raise unreadable(path or real, exc) from exc


class _Sources:
    """Expands patterns against the disk; names read from the disk are taken literally."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.found: set[bytes] = set()

    def real(self, path: bytes) -> bytes:
        return os.path.join(self.root, path)

    def mode(self, path: bytes) -> int:
        """The path's own ``st_mode``, without following links; 0 if there is nothing."""
        try:
            return os.lstat(self.real(path)).st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError):  # no name contains a NUL
            return 0
        except OSError as exc:
            raise unreadable(path, exc) from exc

    def expand(self, base: bytes, parts: list[str], links: int) -> None:
        """Expand the pattern ``parts`` below the literal path ``base``."""
        if not parts or "**" in parts[0]:  # --parents allows **: everything below counts
            self.found.add(base)
            return
        first, rest = parts[0], parts[1:]
        if not any(char in first for char in "*?[\\"):
            self.step(base, first.encode("utf-8", "surrogateescape"), rest, links)
            return
        try:
            expression = compile_match(first)
        except BadPatternError:
            self.found.add(base)
            return
        if stat.S_ISDIR(self.mode(base)):
            for name in list_names(self.real(base), base):
                if expression.fullmatch(path_text(name)):
                    self.step(base, name, rest, links)

    def step(self, base: bytes, name: bytes, rest: list[str], links: int) -> None:
        """Take one literal name below ``base``, then expand the pattern ``rest``."""
        path = base + b"/" + name if base else name
        if not stat.S_ISLNK(self.mode(path)):
            self.expand(path, rest, links)
            return
        self.found.add(path)
        if links >= _MAX_LINKS:
            raise input_error("input_link_loop", path, "the source {path} is a loop of links")
        target = read_link(self.real(path), path)
        names = _join(base, target)
        if names is None:
            message = f"the source {{path}} is a link out of the context ({printable_path(target)})"
            hint = "copy its target into the context, or make the context wider"
            raise input_error("input_link_outside", path, message, hint)
        self.follow(names, rest, links + 1)

    def follow(self, names: list[bytes], rest: list[str], links: int) -> None:
        """Walk a link's target, whose names are literal, then expand the pattern ``rest``."""
        base = b""
        for index, name in enumerate(names):
            path = base + b"/" + name if base else name
            if stat.S_ISLNK(self.mode(path)):
                literal = [_quote(item) for item in names[index + 1 :]]
                self.step(base, name, literal + rest, links)
                return
            base = path
        self.expand(base, rest, links)


def _join(base: bytes, target: bytes) -> list[bytes] | None:
    """The names of a link's target from the root, or None if it leads out."""
    if target.startswith(b"/"):
        return None
    names = base.split(b"/") if base else []
    for part in target.split(b"/"):
        if part == b"..":
            if not names:
                return None
            names.pop()
        elif part not in (b"", b"."):
            names.append(part)
    return names


def _quote(name: bytes) -> str:
    text = path_text(name)
    return "".join("\\" + char if char in "*?[\\" else char for char in text)
