"""sha256 of files: streamed, side by side where it pays; aware of files that move."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from typing import NamedTuple

from .errors import UsageError
from .inputs.names import failed, show
from .inputs.walk import Job

_CHUNK = 1 << 20
_MANY, _MUCH = 64, 8 << 20  # files and bytes that are worth threads
_THREADS = 8  # more than cores: on a cold disk most of them wait

Seen = tuple[int, int, int, int, int]
"""What lstat says of a file: size, mtime, ctime (ns), inode, device."""


class Hashed(NamedTuple):
    """A file's sha256, empty where it is gone; ``seen`` is None where it moved all the time."""

    digest: bytes
    seen: Seen | None


def hash_files(jobs: list[Job]) -> list[Hashed]:
    """The jobs' files, in their order. Raises UsageError for the first that cannot be read."""
    if len(jobs) < _MANY and sum(job.size for job in jobs) < _MUCH:
        return [_hash(job) for job in jobs]
    found: dict[int, Hashed] = {}
    errors: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, len(jobs), _THREADS):
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
    return [found[number] for number in range(len(jobs))]


def _hash(job: Job) -> Hashed:
    """Read a file, again if it changed meanwhile."""
    digest = b""
    for _ in range(3):
        try:
            digest, before, after = read_once(job.real, job.path)
        except FileNotFoundError:
            return Hashed(b"", None)
        if before == after:
            return Hashed(digest, after)
    return Hashed(digest, None)


def read_once(real: bytes, shown: bytes) -> tuple[bytes, Seen, Seen]:
    """Read a regular file up to the size that it had when opened; never follows a link."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(real, flags)
    except FileNotFoundError:
        raise
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
        return digest.digest(), _seen(info), _seen(os.fstat(handle))
    except OSError as exc:
        raise failed(shown, exc) from exc
    finally:
        os.close(handle)


def _seen(info: os.stat_result) -> Seen:
    return (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev)
