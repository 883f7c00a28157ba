"""COPY sources as plain paths: wildcards expanded, links in them followed as BuildKit does."""

# Paths are bytes here: names need not be text.
# ruff: noqa: PTH115, PTH118, PTH208
from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ..errors import UsageError
from .go_match import BadPatternError, compile_match
from .names import printable_path, unreadable

_MAX_LINKS = 40


def resolve_sources(root: bytes, sources: Iterable[str]) -> set[bytes]:
    """The paths that the sources name; a followed link is one itself, beside what it points to."""
    resolver = _Sources(root)
    for source in sources:
        parts = [part for part in source.split("/") if part not in ("", ".")]
        resolver.expand(b"", parts, 0)
    return resolver.found


def read_link(real: bytes, path: bytes) -> bytes:
    """A link's text."""
    try:
        return os.readlink(real)
    except OSError as exc:
        raise unreadable(path, exc) from exc


def list_names(real: bytes, path: bytes) -> list[bytes]:
    """What a directory holds."""
    try:
        return os.listdir(real)
    except OSError as exc:
        raise unreadable(path or real, exc) from exc


class _Sources:
    """Expands patterns against the disk; names that come from the disk are no patterns."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.found: set[bytes] = set()

    def real(self, path: bytes) -> bytes:
        return os.path.join(self.root, path)

    def mode(self, path: bytes) -> int:
        """What a path is, itself; 0 where there is nothing."""
        try:
            return os.lstat(self.real(path)).st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL is in no name
            return 0
        except OSError as exc:
            raise unreadable(path, exc) from exc

    def expand(self, base: bytes, parts: list[str], links: int) -> None:
        """The pattern ``parts`` below the plain path ``base``."""
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
                if expression.fullmatch(name.decode("utf-8", "surrogateescape")):
                    self.step(base, name, rest, links)

    def step(self, base: bytes, name: bytes, rest: list[str], links: int) -> None:
        """One plain name below ``base``, then the pattern ``rest``."""
        path = base + b"/" + name if base else name
        if not stat.S_ISLNK(self.mode(path)):
            self.expand(path, rest, links)
            return
        self.found.add(path)
        if links >= _MAX_LINKS:
            message = f"the source {printable_path(path)} is a loop of links"
            raise UsageError("input_link_loop", message, details={"path": printable_path(path)})
        target = read_link(self.real(path), path)
        names = _join(base, target)
        if names is None:
            shown = printable_path(target)
            message = f"the source {printable_path(path)} is a link out of the context ({shown})"
            hint = "copy what it points to into the context, or make the context wider"
            raise UsageError(
                "input_link_outside", message, hint=hint, details={"path": printable_path(path)}
            )
        self.follow(names, rest, links + 1)

    def follow(self, names: list[bytes], rest: list[str], links: int) -> None:
        """A link's target, whose names are plain, then the pattern ``rest``."""
        base = b""
        for index, name in enumerate(names):
            path = base + b"/" + name if base else name
            if stat.S_ISLNK(self.mode(path)):
                plain = [_quote(item) for item in names[index + 1 :]]
                self.step(base, name, plain + rest, links)
                return
            base = path
        self.expand(base, rest, links)


def _join(base: bytes, target: bytes) -> list[bytes] | None:
    """The names of a link's target seen from the root, or None where it leads out."""
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
    text = name.decode("utf-8", "surrogateescape")
    return "".join("\\" + char if char in "*?[\\" else char for char in text)
