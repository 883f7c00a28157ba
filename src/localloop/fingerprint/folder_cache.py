"""Folders of inputs that are unchanged: their sections are taken from the previous walk.

There is one file per component, for one view (the same ignore patterns and sources). A folder is
kept only if everything in it is clearly older than the session that read it. Anything newer is read
by every walk of the session, so that each walk notices if it moves.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError
from ..inputs.walk import CachedFolder, Subfolder
from ..system.cache_files import cache_dir, read_checked, write_checked
from .stat_cache import StatCache, settled

_KIND = "folders 2"
_LENGTHS = struct.Struct("<IIII")


class FolderCache:
    """What one walk knows from the previous one, and what it leaves to the next."""

    def __init__(self, view: bytes, known: Mapping[bytes, CachedFolder], started: int) -> None:
        """``started`` (ns): when the session began."""
        self.view = view
        self.kept: dict[bytes, CachedFolder] = {}
        self._known = known
        self._started = started

    @property
    def changed(self) -> bool:
        """Whether the walk leaves anything other than what it was given."""
        return self.kept != self._known

    def written(self) -> None:
        """Note that what the walk leaves is on disk."""
        self._known = dict(self.kept)

    def get(self, path: bytes) -> CachedFolder | None:
        found = self._known.get(path)
        if found is not None:
            self.kept[path] = found
        return found

    def put(self, path: bytes, known: CachedFolder | None, newest: int) -> None:
        if known is not None and settled(newest, self._started):
            self.kept[path] = known
        else:
            self.kept.pop(path, None)


class InputCache:
    """The caches that all walks of a project share; read-only without ``writes``."""

    def __init__(self, root: Path, *, writes: bool = True) -> None:
        self.root = root
        self.files = StatCache(root)
        self._writes = writes
        self._folders: dict[str, FolderCache] = {}

    def folders(self, name: str, view: bytes) -> FolderCache:
        """The cache for a new walk of a component's context; ``view`` is 32 bytes."""
        before = self._folders.get(name)
        known: Mapping[bytes, CachedFolder] = {}
        if before is not None and before.view == view:
            known = before.kept
        elif before is None:
            body = read_checked(self._path(name), _KIND)
            if body and body[:32] == view:
                known = _decode(body)
        self._folders[name] = FolderCache(view, known, self.files.started)
        return self._folders[name]

    def _path(self, name: str) -> Path:
        return self.root / ".cache" / "localloop" / "folders" / name

    def save(self) -> None:
        """Write what the last walks learned; a failure to write is ignored."""
        if not self._writes:
            return
        self.files.save()
        for name, folders in self._folders.items():
            if not folders.changed:
                continue
            with contextlib.suppress(OSError, UsageError):
                path = cache_dir(self.root, "folders") / name
                if not path.is_symlink():
                    write_checked(path, _KIND, folders.view + _encode(folders.kept))
            folders.written()


def _encode(kept: Mapping[bytes, CachedFolder]) -> bytes:
    parts = []
    for path, known in kept.items():
        skip = b"\0".join(sorted(known.skip))
        below = b"\0".join(role + mode + name for name, mode, role in known.below)
        lengths = _LENGTHS.pack(len(path), len(known.section), len(skip), len(below))
        parts += [lengths, path, known.key, known.section, skip, below]
    return b"".join(parts)


def _decode(body: bytes) -> dict[bytes, CachedFolder]:
    found = {}
    place = 32
    while place < len(body):
        lengths = _LENGTHS.unpack_from(body, place)
        place += _LENGTHS.size
        parts = []
        for length in (lengths[0], 32, *lengths[1:]):
            parts.append(body[place : place + length])
            place += length
        path, key, section, skip, below = parts
        found[path] = CachedFolder(
            key,
            section,
            frozenset(skip.split(b"\0")) if skip else frozenset(),
            tuple(Subfolder(text[5:], text[1:5], text[:1]) for text in below.split(b"\0"))
            if below
            else (),
        )
    return found
