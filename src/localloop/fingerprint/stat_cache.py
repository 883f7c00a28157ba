"""Hashes of files, kept by what ``lstat`` reports of each file.

An entry is kept only if its mtime and ctime are clearly older than the session that read the file,
because a later edit within one tick of the clock would look the same. A few small files are hashed
faster than looked up, so a project with few inputs has no such cache at all.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from pathlib import Path

from ..errors import UsageError
from ..inputs.names import printable_path
from ..inputs.walk import FileToHash
from ..system.cache_files import cache_dir, read_checked, write_checked
from .hashing import Seen, hash_files

GRAIN_NS = 2_000_000_000  # coarse clocks and file systems
_KIND = "stat-cache 2"
_SEEN = struct.Struct("<QqqQQ")
_RECORD = _SEEN.size + 32
_FEW, _LITTLE = 200, 8 << 20  # files and bytes that are not worth a look-up
_UNSEEN = 200_000  # entries that are kept although no walk of this run saw them


def settled(newest: int, started: int) -> bool:
    """Whether a file last changed at ``newest`` (ns) cannot change unnoticed after ``started``."""
    return newest + GRAIN_NS < started


class StatCache:
    """The file hashes of one project; ``save`` once after the walks."""

    def __init__(self, root: Path, *, keep: bool = True) -> None:
        """With ``keep=False`` every file is read and nothing is looked up."""
        self.root = root
        self._keep = keep
        self.since: int | None = None  # if set (ns), a file that changed after it counts as moved
        self.moved: set[str] = set()  # files that changed while they were read
        self._base = os.fsencode(root).rstrip(b"/") + b"/"
        self.started = time.time_ns()
        self._known: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()
        self._loaded = False
        self._learned = 0

    @property
    def path(self) -> Path:
        """The file that holds the cache."""
        return self.root / ".cache" / "localloop" / "stat-cache"

    def digests(self, jobs: list[FileToHash]) -> list[tuple[bytes, bool]]:
        """For each file its sha256 (empty if it is gone), and whether it is still as lstat said."""
        many = self._keep and (len(jobs) > _FEW or sum(job.size for job in jobs) > _LITTLE)
        if many:
            self._load()
        found: list[tuple[bytes, bool]] = [(b"", False)] * len(jobs)
        unknown = []
        for number, job in enumerate(jobs):
            record = self._known.get(self._name(job)) if many else None
            if record is not None and record[: _SEEN.size] == _pack(job[2:]):
                found[number] = (record[_SEEN.size :], True)
            else:
                unknown.append(number)
        hashed = hash_files([jobs[number] for number in unknown])
        for number, (digest, seen) in zip(unknown, hashed, strict=True):
            found[number] = (digest, seen == jobs[number][2:])
            if digest and (seen is None or (self.since and seen[2] > self.since)):
                self.moved.add(printable_path(jobs[number].path))
            if many:
                self._learn(jobs[number], digest, seen)
        if many:
            self._used.update(map(self._name, jobs))
        return found

    def link(self, path: bytes, ctime: int) -> None:
        """Note a link that was read, and when it was made."""
        if self.since and ctime > self.since:
            self.moved.add(printable_path(path))

    def _name(self, job: FileToHash) -> bytes:
        return job.real.removeprefix(self._base)

    def _learn(self, job: FileToHash, digest: bytes, seen: Seen | None) -> None:
        name = self._name(job)
        if digest and seen is not None and settled(max(seen[1], seen[2]), self.started):
            self._known[name] = _pack(seen) + digest
            self._learned += 1 + seen[0] * _FEW // _LITTLE
        else:
            self._known.pop(name, None)

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            body = read_checked(self.path, _KIND)
            self._known = _decode(body) if body else {}

    def save(self) -> None:
        """Write the cache if it learned enough to be worth reading."""
        if self._learned <= _FEW:
            return
        self._learned = 0
        if len(self._known) > _UNSEEN + len(self._used):
            self._known = {name: self._known[name] for name in self._used if name in self._known}
        with contextlib.suppress(OSError, UsageError):
            path = cache_dir(self.root) / self.path.name
            if not path.is_symlink():
                write_checked(path, _KIND, _encode(self._known))


def _pack(seen: tuple[int, ...]) -> bytes:
    return _SEEN.pack(*seen)


def _encode(known: dict[bytes, bytes]) -> bytes:
    return b"".join((struct.pack("<Q", len(known)), *known.values(), b"\0".join(known)))


def _decode(body: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from("<Q", body)
    end = 8 + count * _RECORD
    records = [body[place : place + _RECORD] for place in range(8, end, _RECORD)]
    return dict(zip(body[end:].split(b"\0"), records, strict=True)) if count else {}
