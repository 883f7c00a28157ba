"""Walking a tree for its inputs: everything by lstat, in bytes, ignored directories never read."""

# Paths are bytes here: names need not be text.
# ruff: noqa: PTH112, PTH114, PTH115, PTH118
from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Protocol

from ..errors import UsageError
from .gomatch import BadPatternError, compile_match
from .ignore import Matcher, Parent

_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
_MAX_LINKS = 40


class Entry:
    """One input: ``path`` relative to the walked root; ``real`` where it is read."""

    __slots__ = ("path", "real", "stat", "target")

    def __init__(
        self, path: bytes, real: bytes, info: os.stat_result, target: bytes | None
    ) -> None:
        self.path = path
        self.real = real
        self.stat = info
        self.target = target  # the text of a symlink

    @property
    def kind(self) -> str:
        """``f``, ``d`` or ``l``."""
        mode = self.stat.st_mode
        return "l" if self.target is not None else "d" if stat.S_ISDIR(mode) else "f"


def show(path: bytes) -> str:
    """A path for people: one line, no control bytes."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def failed(path: bytes, exc: OSError) -> UsageError:
    """An input that cannot be read."""
    message = f"the input {show(path)} cannot be read: {exc.strerror}"
    return UsageError("input_unreadable", message, details={"path": show(path)})


def check(path: bytes, info: os.stat_result) -> None:
    """Refuse what is no file, directory or link."""
    kind = _SPECIAL.get(stat.S_IFMT(info.st_mode))
    if kind:
        message = f"the input {show(path)} is {kind}"
        hint = "remove it, or add it to the ignore file"
        raise UsageError("input_special", message, hint=hint, details={"path": show(path)})


def _utf8(path: bytes) -> str:
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        message = f"the name {show(path)} is not UTF-8: BuildKit cannot take it"
        hint = "rename it, or add its directory to the ignore file"
        raise UsageError("input_name", message, hint=hint, details={"path": show(path)}) from None


def _lstat(entry: os.DirEntry[bytes], path: bytes) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # gone since the directory was read
    except OSError as exc:
        raise failed(path, exc) from exc


def _readlink(real: bytes, path: bytes) -> bytes:
    try:
        return os.readlink(real)
    except OSError as exc:
        raise failed(path, exc) from exc


def _scan(real: bytes, path: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(real) as found:
            return list(found)
    except OSError as exc:
        raise failed(path or real, exc) from exc


def walk_context(
    root: bytes, matcher: Matcher, sources: Iterable[bytes] | None = None
) -> list[Entry]:
    """The entries of a build context, sorted by path bytes.

    ``sources`` (from ``resolve_sources``) narrows them to those paths and what lies below.
    """
    wanted = None if sources is None else set(sources)
    above: set[bytes] = set()
    if wanted is not None and b"" in wanted:
        wanted = None
    for path in wanted or ():
        above.update(_parents(path))
    entries: list[Entry] = []
    ghosts: dict[bytes, os.DirEntry[bytes]] = {}  # ignored directories that were read nevertheless
    # A directory, its matcher's state, and whether everything below is wanted.
    stack: list[tuple[bytes, bytes, Parent, bool]] = [(root, b"", (), wanted is None)]
    matches = matcher.matches
    while stack:
        real, prefix, parent, whole = stack.pop()
        for item in _scan(real, prefix):
            path = prefix + b"/" + item.name if prefix else item.name
            inside = whole or path in wanted  # type: ignore[operator]
            if not inside and path not in above:
                continue
            text = path.decode("utf-8", "surrogateescape")
            ignored, state = matches(text, parent)
            directory = item.is_dir(follow_symlinks=False)
            if ignored:
                if directory and not matcher.prunes(text, state):
                    stack.append((item.path, path, state, inside))
                    ghosts[path] = item
                continue
            info = _lstat(item, path)
            if info is None:
                continue
            if inside:
                _utf8(path)
                check(path, info)
                link = stat.S_ISLNK(info.st_mode)
                target = _readlink(item.path, path) if link else None
                entries.append(Entry(path, item.path, info, target))
            if directory:
                stack.append((item.path, path, state, inside))
    # What comes back brings its directories along.
    back = {up for entry in entries for up in _parents(entry.path)} if ghosts else set()
    entries += [
        Entry(path, ghosts[path].path, info, None)
        for path in back & ghosts.keys()
        if (info := _lstat(ghosts[path], path))
    ]
    entries.sort(key=lambda entry: entry.path)
    return entries


def _parents(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]


def resolve_sources(root: bytes, sources: Iterable[str]) -> set[bytes]:
    """COPY sources as plain paths: wildcards expanded, links in them followed as BuildKit does.

    A followed link is an input itself, beside what it points to.
    """
    resolver = _Sources(root)
    for source in sources:
        parts = [part for part in source.split("/") if part not in ("", ".")]
        resolver.expand(b"", parts, 0)
    return resolver.found


class _Sources:
    """Expands patterns against the disk; names that come from the disk are no patterns."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.found: set[bytes] = set()

    def real(self, path: bytes) -> bytes:
        return os.path.join(self.root, path)

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
        if os.path.isdir(self.real(base)):
            for item in _scan(self.real(base), base):
                if expression.fullmatch(item.name.decode("utf-8", "surrogateescape")):
                    self.step(base, item.name, rest, links)

    def step(self, base: bytes, name: bytes, rest: list[str], links: int) -> None:
        """One plain name below ``base``, then the pattern ``rest``."""
        path = base + b"/" + name if base else name
        if not os.path.islink(self.real(path)):
            self.expand(path, rest, links)
            return
        self.found.add(path)
        if links >= _MAX_LINKS:
            message = f"the source {show(path)} is a loop of links"
            raise UsageError("input_link_loop", message, details={"path": show(path)})
        target = _readlink(self.real(path), path)
        names = _join(base, target)
        if names is None:
            message = f"the source {show(path)} is a link out of the context ({show(target)})"
            hint = "copy what it points to into the context, or make the context wider"
            raise UsageError("input_link_outside", message, hint=hint, details={"path": show(path)})
        self.follow(names, rest, links + 1)

    def follow(self, names: list[bytes], rest: list[str], links: int) -> None:
        """A link's target, whose names are plain, then the pattern ``rest``."""
        base = b""
        for index, name in enumerate(names):
            path = base + b"/" + name if base else name
            if os.path.islink(self.real(path)):
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


class Ignores(Protocol):
    """What ``walk_chart`` asks."""

    def ignored(self, path: str, is_dir: bool) -> bool:
        """Whether a path relative to the chart is left out."""


def walk_chart(root: bytes, ignore: Ignores, boundary: bytes) -> list[Entry]:
    """The files of a chart, sorted by path bytes; links are followed, as Helm does.

    A link is followed inside ``boundary`` only; both its text and what lies behind it are inputs.
    """
    entries: list[Entry] = []
    boundary = os.path.realpath(boundary)
    stack: list[tuple[bytes, bytes, frozenset[bytes]]] = [
        (root, b"", frozenset((os.path.realpath(root),)))
    ]
    while stack:
        real, prefix, open_ = stack.pop()
        for item in _scan(real, prefix):
            path = prefix + b"/" + item.name if prefix else item.name
            text = path.decode("utf-8", "surrogateescape")
            info = _lstat(item, path)
            if info is None or item.name == b".git":
                continue
            place, chain = item.path, open_
            if stat.S_ISLNK(info.st_mode):
                if ignore.ignored(text, False):
                    continue
                entries.append(Entry(path, place, info, _readlink(place, path)))
                place = os.path.realpath(place)
                info = _behind(path, place, boundary)
                if info is None:
                    continue
            directory = stat.S_ISDIR(info.st_mode)
            if ignore.ignored(text, directory):
                continue
            check(path, info)
            if not directory:
                entries.append(Entry(path, place, info, None))
                continue
            resolved = os.path.realpath(place)
            if resolved in chain:
                message = f"the chart's link {show(path)} leads back to a directory above it"
                raise UsageError("input_link_loop", message, details={"path": show(path)})
            stack.append((place, path, chain | {resolved}))
    entries.sort(key=lambda entry: (entry.path, entry.target is None))
    return entries


def _behind(path: bytes, place: bytes, boundary: bytes) -> os.stat_result | None:
    if not (place + b"/").startswith(boundary.rstrip(b"/") + b"/"):
        message = f"the chart's link {show(path)} leads out of the project"
        hint = "copy what it points to into the project"
        raise UsageError("input_link_outside", message, hint=hint, details={"path": show(path)})
    try:
        return os.lstat(place)
    except OSError:
        return None  # dangling: its text is all there is
