"""Files are hashed the same by one thread and by several, and none that moved is believed."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from print_project import write

from localloop.errors import UsageError
from localloop.fingerprint import hashing
from localloop.fingerprint.hashing import hash_files
from localloop.inputs.walk import FileToHash, file_to_hash

HERE = threading.main_thread()


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> set[threading.Thread]:
    """The threads that read something."""
    found: set[threading.Thread] = set()
    real = hashing.read_once

    def watched(*words: object) -> object:
        found.add(threading.current_thread())
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(hashing, "read_once", watched)
    return found


def as_job(path: Path) -> FileToHash:
    return file_to_hash(os.fsencode(path), os.fsencode(path.name), path.lstat())


def made(place: Path, sizes: list[int]) -> list[FileToHash]:
    return [as_job(write(place / str(n), bytes([n % 256]) * size)) for n, size in enumerate(sizes)]


SIZES = [3, 200_000, 0, 70_000, 5] * 60


@pytest.mark.parametrize(
    ("waits", "much"),
    [(10**9, 10**12), (10**9, 10**6), (0, 10**12), (0, 10**6)],
    ids=["small-alone", "large-apart", "a-slow-disk", "both"],
)
def test_whoever_reads(
    tmp_path: Path,
    readers: set[threading.Thread],
    monkeypatch: pytest.MonkeyPatch,
    waits: int,
    much: int,
) -> None:
    monkeypatch.setattr(hashing, "_WAITS", waits)
    monkeypatch.setattr(hashing, "_MUCH", much)
    jobs = made(tmp_path, SIZES)
    found = hash_files(jobs)
    assert (readers == {HERE}) == ((waits, much) == (10**9, 10**12))
    for number, (digest, seen) in enumerate(found):
        assert digest == hashlib.sha256(bytes([number % 256]) * SIZES[number]).digest()
        assert seen == jobs[number][2:]


def test_many_small_files_in_memory_need_no_threads(
    tmp_path: Path, readers: set[threading.Thread]
) -> None:
    jobs = made(tmp_path, [100] * 500)
    hash_files(jobs)
    readers.clear()
    for _ in range(5):  # another program may have taken the CPU for a moment
        hash_files(jobs)
        if readers == {HERE}:
            return
        readers.clear()
    pytest.fail("they were handed over to threads")


@pytest.mark.parametrize("waits", [0, 10**9])
def test_one_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: int
) -> None:
    monkeypatch.setattr(hashing, "_WAITS", waits)
    jobs = made(tmp_path, [3] * 200)
    (tmp_path / "150").unlink()
    assert hash_files(jobs)[150] == (b"", None)
    (tmp_path / "150").mkdir()
    with pytest.raises(UsageError, match="the input 150 cannot be read"):
        hash_files(jobs)
    (tmp_path / "150").rmdir()
    os.mkfifo(tmp_path / "150")
    with pytest.raises(UsageError, match="150 stopped being a file"):
        hash_files(jobs)


def test_what_changed_since_it_was_looked_at_is_read_as_it_is(tmp_path: Path) -> None:
    file = write(tmp_path / "f", "a few words")
    before = as_job(file)
    for text in ("a few words more", "fewer", ""):
        write(file, text)
        [(digest, seen)] = hash_files([before])
        assert digest == hashlib.sha256(text.encode()).digest()
        assert seen == as_job(file)[2:] != before[2:]


def test_what_never_holds_still_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "f", "x")
    real = os.read

    def growing(handle: int, size: int) -> bytes:
        found = real(handle, size)
        with file.open("a") as other:
            other.write("x")
        return found

    monkeypatch.setattr(os, "read", growing)
    [(digest, seen)] = hash_files([as_job(file)])
    assert digest
    assert seen is None
