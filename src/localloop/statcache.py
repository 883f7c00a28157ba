"""Contents that need not be read again: a cache of file hashes by what ``lstat`` says.

An entry is kept only if its mtime and ctime are clearly older than the scan that read the file: a
later edit within the clock's grain would look the same. A damaged cache is set aside and rebuilt; a
cache that cannot be written is no error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import time
from pathlib import Path

from .errors import UsageError
from .inputs.walk import failed, show

_MAGIC = b"localloop-stat-cache-1\n"
_RECORD = struct.Struct("<QqqQQ32s")
_GRAIN_NS = 2_000_000_000  # coarse clocks and file systems
_CHUNK = 1 << 20
_MANY = 200_000

Key = tuple[int, int, int, int, int]


def cache_dir(root: Path, *parts: str) -> Path:
    """A directory of our cache inside the project, made if missing; never through a symlink."""
    here = root
    for part in (".cache", "localloop", *parts):
        here = here / part
        if here.is_symlink():
            message = f"{here} is a symbolic link: nothing is written through it"
            raise UsageError("cache_symlink", message, hint="remove the link")
        here.mkdir(exist_ok=True)
        if part == "localloop" and not (here / ".gitignore").exists():
            (here / ".gitignore").write_text("*\n", encoding="ascii")
    return here


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by rename; no sync, since everything here can be computed again."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


class StatCache:
    """File hashes of one project; ``save`` once after the scans."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.moved: set[bytes] = set()  # files that changed while they were read
        self._base = os.fsencode(root).rstrip(b"/") + b"/"
        self._started = time.time_ns()
        self._known: dict[bytes, tuple[Key, bytes]] = {}
        self._seen: set[bytes] = set()
        self._dirty = False
        self._load()

    @property
    def path(self) -> Path:
        """Where the cache lies."""
        return self.root / ".cache" / "localloop" / "stat-cache"

    def digest(self, real: bytes, shown: bytes, info: os.stat_result) -> bytes:
        """The sha256 of a regular file, from the cache where that is safe."""
        key = _key(info)
        name = real.removeprefix(self._base)
        self._seen.add(name)
        known = self._known.get(name)
        if known is not None and known[0] == key:
            return known[1]
        digest, after = self._read(real, shown, info)
        if max(after[1], after[2]) + _GRAIN_NS < self._started and real not in self.moved:
            self._known[name] = (after, digest)
            self._dirty = True
        elif self._known.pop(name, None):
            self._dirty = True
        return digest

    def _read(self, real: bytes, shown: bytes, info: os.stat_result) -> tuple[bytes, Key]:
        for _ in range(3):
            digest, before, after = _hash(real, shown)
            if before == after:
                return digest, after
        self.moved.add(real)
        return digest, after

    # -- the file

    def _load(self) -> None:
        try:
            data = self.path.read_bytes()
        except OSError:
            return
        try:
            self._known = _decode(data)
        except (ValueError, struct.error):
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_name("stat-cache.damaged"))
            self._dirty = True

    def save(self) -> None:
        """Write the cache if something in it changed."""
        if not self._dirty:
            return
        if len(self._known) > _MANY + len(self._seen):
            self._known = {name: self._known[name] for name in self._seen if name in self._known}
        with contextlib.suppress(OSError, UsageError):
            path = cache_dir(self.root) / self.path.name
            if not path.is_symlink():
                write_atomically(path, _encode(self._known))
        self._dirty = False


def _key(info: os.stat_result) -> Key:
    return (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev)


def _hash(real: bytes, shown: bytes) -> tuple[bytes, Key, Key]:
    """Read a regular file up to the size that it had when opened; never follows a link."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(real, flags)
    except OSError as exc:
        raise failed(shown, exc) from exc
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            message = f"the input {show(shown)} stopped being a file while it was read"
            raise UsageError("input_special", message)
        digest = hashlib.sha256()
        left = info.st_size
        while left > 0:
            block = os.read(handle, min(left, _CHUNK))
            if not block:
                break
            digest.update(block)
            left -= len(block)
        return digest.digest(), _key(info), _key(os.fstat(handle))
    except OSError as exc:
        raise failed(shown, exc) from exc
    finally:
        os.close(handle)


def _encode(known: dict[bytes, tuple[Key, bytes]]) -> bytes:
    names = sorted(known)
    records = b"".join(
        _RECORD.pack(
            *(
                number & (2**64 - 1) if i in (0, 3, 4) else number
                for i, number in enumerate(known[name][0])
            ),
            known[name][1],
        )
        for name in names
    )
    body = struct.pack("<Q", len(names)) + records + b"\0".join(names)
    return _MAGIC + hashlib.sha256(body).digest() + body


def _decode(data: bytes) -> dict[bytes, tuple[Key, bytes]]:
    head = len(_MAGIC) + 32
    body = data[head:]
    if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != data[len(_MAGIC) : head]:
        raise ValueError("damaged")
    (count,) = struct.unpack_from("<Q", body)
    end = 8 + count * _RECORD.size
    names = body[end:].split(b"\0") if count else []
    if len(names) != count:
        raise ValueError("damaged")
    records = _RECORD.iter_unpack(body[8:end])
    return {name: (record[:5], record[5]) for name, record in zip(names, records, strict=True)}
