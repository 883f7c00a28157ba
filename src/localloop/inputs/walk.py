"""Walking a build context: with lstat, in bytes, without reading ignored directories.

A folder whose names, modes, sizes, times and inodes are unchanged keeps the section it had, so a
second walk with a folder store costs little more than one ``lstat`` per input.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .ignore import Matcher
from .names import path_text, refuse_special, require_utf8, unreadable
from .sources import read_link
from .tree import NO_MODE, Folder, Tree, mode_text, tree_entry

INPUT = b"+"  # the folder is an input itself
PASSAGE = b"."  # it only leads to a source
REINCLUDED = b"?"  # it is ignored: an input only if the ignore file re-includes something in it


class Subfolder(NamedTuple):
    """A folder to visit: its name, its mode and its role (``INPUT``, …)."""

    name: bytes
    mode: bytes
    role: bytes


class CachedFolder(NamedTuple):
    """What was found in a folder; ``key`` is a hash of its entries without those in ``skip``."""

    key: bytes
    section: bytes
    skip: frozenset[bytes]
    below: tuple[Subfolder, ...]


class FileToHash(NamedTuple):
    """A file to hash: where it is, its path for people, and its ``lstat`` data (times in ns)."""

    real: bytes
    path: bytes
    size: int
    mtime: int
    ctime: int
    inode: int
    device: int


class FileHasher(Protocol):
    """Hashes files."""

    def digests(self, files: list[FileToHash]) -> list[tuple[bytes, bool]]:
        """Each file's sha256 (empty if it is gone), and whether it still is as lstat saw it."""

    def link(self, path: bytes, ctime: int) -> None:
        """Note that a link was read, and when it was last changed (ns)."""


class FolderStore(Protocol):
    """Remembers folders from one walk to the next."""

    def get(self, path: bytes) -> CachedFolder | None:
        """What was found in a folder, if it was walked with the same patterns and sources."""

    def put(self, path: bytes, known: CachedFolder | None, newest: int) -> None:
        """Remember a folder if its ``newest`` time (ns) is old enough; None forgets it."""


@dataclass
class _Draft:
    """A folder that has been read, before its files are hashed."""

    path: bytes
    numbers: list[int] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    skip: set[bytes] = field(default_factory=set)
    below: list[Subfolder] = field(default_factory=list)
    links: list[tuple[bytes, bytes]] = field(default_factory=list)
    files: list[tuple[bytes, bytes, int]] = field(default_factory=list)  # name, mode, index
    newest: int = 0


def walk_context(
    root: bytes,
    matcher: Matcher,
    sources: Iterable[bytes] | None,
    files: FileHasher,
    folders: FolderStore | None = None,
    *,
    for_buildkit: bool = True,
    modes: bool = True,
) -> Tree:
    """The inputs in ``root`` that the ignore patterns leave.

    ``sources`` (from ``resolve_sources``) limits them to these paths; None means no limit.
    ``for_buildkit`` refuses names that are not UTF-8; ``modes`` says whether modes count. Raises
    UsageError for an input that cannot be read or used.
    """
    check = require_utf8 if for_buildkit else lambda _path: None
    wanted = frozenset((b"",) if sources is None else sources)
    mode = mode_text if modes else lambda _mode: NO_MODE
    return _Walk(root, matcher, wanted, files, folders, check, mode).run()


@dataclass
class _Walk:
    root: bytes
    matcher: Matcher
    wanted: frozenset[bytes]
    files: FileHasher
    folders: FolderStore | None
    check_name: Callable[[bytes], None]
    mode: Callable[[int], bytes]
    tree: Tree = field(default_factory=dict)
    reincluded: dict[bytes, bytes] = field(default_factory=dict)
    drafts: list[_Draft] = field(default_factory=list)
    to_hash: list[FileToHash] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.passages = {up for path in self.wanted for up in ancestors(path)}

    def run(self) -> Tree:
        stack = [(b"", Subfolder(b"", b"", PASSAGE), b"" in self.wanted)]
        while stack:
            path, own, inside = stack.pop()
            known = self.folders.get(path) if self.folders else None
            if known is not None and _folder_key(self._real(path), known.skip) == known.key:
                section, below = known.section, list(known.below)
            else:
                section, below = b"", self._read(path, inside)
            self.tree[path] = Folder(own.mode if own.role == INPUT else b"", section)
            if own.role == REINCLUDED:
                self.reincluded[path] = own.mode
            prefix = path + b"/" if path else b""
            for child in below:
                place = prefix + child.name
                stack.append((place, child, inside or place in self.wanted))
        self._finish_drafts()
        self._add_reincluded()
        return {path: found for path, found in self.tree.items() if found.mode or found.section}

    def _real(self, path: bytes) -> bytes:
        return self.root + b"/" + path if path else self.root

    def _read(self, path: bytes, inside: bool) -> list[Subfolder]:
        """Read a folder; its section follows once its files are hashed."""
        draft = _Draft(path)
        state = self.matcher.state_of(path_text(path))
        prefix = path + b"/" if path else b""
        for entry in _scan(self._real(path), path):
            place = prefix + entry.name
            counts = inside or place in self.wanted
            if not counts and place not in self.passages:
                draft.skip.add(entry.name)
                continue
            text = path_text(place)
            ignored, below = self.matcher.matches(text, state)
            if ignored and self.matcher.can_skip(text, below):
                draft.skip.add(entry.name)
                continue
            info = _lstat(entry, place)
            if info is None:
                continue
            _add_to_key(draft, entry.name, info)
            if stat.S_ISDIR(info.st_mode):
                role = (REINCLUDED if ignored else INPUT) if counts else PASSAGE
                if role == INPUT:
                    self.check_name(place)
                draft.below.append(Subfolder(entry.name, self.mode(info.st_mode), role))
            elif counts and not ignored:
                self.check_name(place)
                refuse_special(place, info.st_mode)
                self._add(draft, entry.path, place, entry.name, info)
        self.drafts.append(draft)
        return draft.below

    def _add(
        self, draft: _Draft, real: bytes, path: bytes, name: bytes, info: os.stat_result
    ) -> None:
        if stat.S_ISLNK(info.st_mode):
            draft.links.append((name, read_link(real, path)))
            self.files.link(path, info.st_ctime_ns)
        else:
            draft.files.append((name, self.mode(info.st_mode), len(self.to_hash)))
            self.to_hash.append(file_to_hash(real, path, info))

    def _finish_drafts(self) -> None:
        hashed = self.files.digests(self.to_hash)
        for draft in self.drafts:
            found = [(name, tree_entry(b"l", NO_MODE, name, text)) for name, text in draft.links]
            same = True
            for name, mode, number in draft.files:
                digest, unchanged = hashed[number]
                same = same and unchanged
                if digest:
                    found.append((name, tree_entry(b"f", mode, name, digest)))
            section = b"".join(text for _, text in sorted(found))
            self.tree[draft.path] = self.tree[draft.path]._replace(section=section)
            if self.folders is not None:
                key = _key(draft.names, draft.numbers)
                known = CachedFolder(key, section, frozenset(draft.skip), tuple(draft.below))
                self.folders.put(draft.path, known if same else None, draft.newest)

    def _add_reincluded(self) -> None:
        """An ignored folder is an input if something in it is re-included."""
        if not self.reincluded:
            return
        kept: set[bytes] = set()
        for path, (mode, section) in self.tree.items():
            up = path if mode or section else b""
            while up and up not in kept:
                kept.add(up)
                up = up.rpartition(b"/")[0]
        for path in kept & self.reincluded.keys():
            self.tree[path] = self.tree[path]._replace(mode=self.reincluded[path])


def _folder_key(real: bytes, skip: frozenset[bytes]) -> bytes:
    """A hash of a folder's entries now, without those in ``skip``; empty if it cannot be read.

    An unchanged tree costs this much per folder, so it must stay one loop over plain calls.
    """
    names: list[bytes] = []
    numbers: list[int] = []
    try:
        with os.scandir(real) as found:
            for entry in found:
                name = entry.name
                if name in skip:
                    continue
                info = entry.stat(follow_symlinks=False)
                names.append(name)
                mode = info.st_mode
                if stat.S_ISDIR(mode):
                    numbers.append(mode)
                else:
                    numbers += (
                        mode,
                        info.st_size,
                        info.st_mtime_ns,
                        info.st_ctime_ns,
                        info.st_ino,
                        info.st_dev,
                    )
    except OSError:
        return b""
    return _key(names, numbers)


def _add_to_key(draft: _Draft, name: bytes, info: os.stat_result) -> None:
    """Add an entry to the folder's key; a subfolder counts by its mode alone."""
    draft.names.append(name)
    draft.numbers.append(info.st_mode)
    if not stat.S_ISDIR(info.st_mode):
        times = (info.st_mtime_ns, info.st_ctime_ns)
        draft.numbers += (info.st_size, *times, info.st_ino, info.st_dev)
        draft.newest = max(draft.newest, *times)


def _key(names: list[bytes], numbers: list[int]) -> bytes:
    try:
        packed = struct.pack(f"{len(numbers)}q", *numbers)
    except struct.error:  # an inode number beyond 2^63
        packed = repr(numbers).encode()
    return hashlib.sha256(b"\0".join(names) + b"\0" + packed).digest()


def file_to_hash(real: bytes, path: bytes, info: os.stat_result) -> FileToHash:
    """A file with its ``lstat`` data, for ``FileHasher``."""
    times = (info.st_mtime_ns, info.st_ctime_ns)
    return FileToHash(real, path, info.st_size, *times, info.st_ino, info.st_dev)


def _scan(real: bytes, path: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(real) as found:
            return list(found)
    except OSError as exc:
        raise unreadable(path or real, exc) from exc


def _lstat(entry: os.DirEntry[bytes], path: bytes) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # removed since the folder was read
    except OSError as exc:
        raise unreadable(path, exc) from exc


def ancestors(path: bytes) -> list[bytes]:
    """The folders above a path: ``a`` and ``a/b`` for ``a/b/c``."""
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]
