"""sha256 of files: streamed, in parallel where that helps, and aware of files that move.

One thread reads small files that are in the page cache: more threads would only wait for Python's
lock. Several threads read large files and files that have to come from the disk.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import UsageError
from ..inputs.names import printable_path, unreadable
from ..inputs.walk import FileToHash

_CHUNK = 1 << 20
_MANY, _MUCH = 64, 8 << 20  # files and bytes from which on threads are worth it
_SMALL = 64 << 10  # bytes that are hashed faster than handed over
_THREADS = 8  # more than cores, because on a cold disk most of them wait
_WAITS = 3  # reading takes this many times the CPU seconds if it comes from a disk

Seen = tuple[int, int, int, int, int]
"""What lstat reports of a file: size, mtime, ctime (ns), inode, device."""


class Hashed(NamedTuple):
    """A file's sha256, empty if it is gone; ``seen`` is None if it changed during every read."""

    digest: bytes
    seen: Seen | None


def hash_files(jobs: list[FileToHash]) -> list[Hashed]:
    """Hash the files, in their order. Raises ``UsageError`` for the first that cannot be read."""
    found: dict[int, Hashed] = {}
    large = [number for number, job in enumerate(jobs) if job.size >= _SMALL]
    if sum(jobs[number].size for number in large) < _MUCH:
        large = []
    apart = set(large)
    small = [number for number in range(len(jobs)) if number not in apart]
    for first in range(0, len(small), _MANY):
        clock, used = time.perf_counter(), time.thread_time()
        for number in small[first : first + _MANY]:
            found[number] = _hash(jobs[number])
        if time.perf_counter() - clock > _WAITS * (time.thread_time() - used):
            large = small[first + _MANY :] + large
            break
    _side_by_side(jobs, large, found)
    return [found[number] for number in range(len(jobs))]


def _side_by_side(jobs: list[FileToHash], numbers: Sequence[int], found: dict[int, Hashed]) -> None:
    if not numbers:
        return
    errors: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in numbers[first::_THREADS]:
                if errors:
                    return
                found[number] = _hash(jobs[number])
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _hash(job: FileToHash) -> Hashed:
    """Read a file, and again if it changed meanwhile."""
    digest = b""
    before: Seen | None = job[2:]  # as lstat saw it
    for _ in range(4):
        try:
            digest, before, after = read_once(job.real, job.path, before)
        except FileNotFoundError:
            return Hashed(b"", None)
        if before == after:
            return Hashed(digest, after)
        before = None
    return Hashed(digest, None)


def read_once(real: bytes, shown: bytes, before: Seen | None = None) -> tuple[bytes, Seen, Seen]:
    """Read a regular file up to the size that it had ``before``; links are not followed.

    Without ``before`` the size is taken once the file is open. The sha256 is valid only if the file
    looks the same afterwards.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(real, flags)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise unreadable(shown, exc) from exc
    try:
        if before is None:
            before = _seen(os.fstat(handle), shown)
        digest = hashlib.sha256()
        left = before[0]
        while left > 0:
            block = os.read(handle, min(left, _CHUNK))
            if not block:
                break
            digest.update(block)
            left -= len(block)
        return digest.digest(), before, _seen(os.fstat(handle), shown)
    except OSError as exc:
        raise unreadable(shown, exc) from exc
    finally:
        os.close(handle)


def _seen(info: os.stat_result, shown: bytes) -> Seen:
    if not stat.S_ISREG(info.st_mode):
        message = f"the input {printable_path(shown)} stopped being a file while it was read"
        raise UsageError("input_special", message)
    return (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev)
