"""What is not read again: folders that look as they did, and the hashes of many or large files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from print_project import prints, value, write

from localloop.fingerprint import stat_cache as statcache
from localloop.fingerprint.folder_cache import InputCache

FOLDERS = ".cache/localloop/folders/app"
HASHES = ".cache/localloop/stat-cache"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the inputs that were opened to be hashed."""
    names: list[str] = []
    real = os.open

    def watched(path: str | bytes, flags: int, *more: int, **named: int) -> int:
        if isinstance(path, bytes):
            names.append(os.fsdecode(path).rpartition("/")[2])
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", watched)
    return names


def many(root: Path) -> None:
    for number in range(250):
        write(root / f"src/many/{number}", str(number))


def large(root: Path) -> None:
    write(root / "src/many/large", b"x" * (9 << 20))


@pytest.mark.usefixtures("eager")
def test_unchanged_folders_are_not_read_and_nothing_is_rewritten(
    root: Path, opened: list[str]
) -> None:
    many(root)
    first = prints(root)
    assert len(opened) == 252
    opened.clear()
    before = [(root / name).stat().st_ino for name in (FOLDERS, HASHES)]
    assert prints(root) == first
    assert opened == []
    assert [(root / name).stat().st_ino for name in (FOLDERS, HASHES)] == before


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("make", [many, large])
def test_one_edit_beside_many_or_large_files_reads_one_file(
    root: Path, opened: list[str], make: Callable[[Path], None]
) -> None:
    make(root)
    write(root / "src/many/0", "0")
    first = value(root)
    write(root / "src/many/0", "other")
    opened.clear()
    second = value(root)
    assert opened == ["0"]
    assert second != first
    shutil.rmtree(root / ".cache")
    assert value(root) == second


@pytest.mark.usefixtures("eager")
def test_few_small_files_are_hashed_sooner_than_looked_up(root: Path) -> None:
    value(root)
    assert (root / FOLDERS).exists()
    assert not (root / HASHES).exists()


@pytest.mark.usefixtures("eager")
def test_other_patterns_know_nothing_of_the_folders_before(root: Path) -> None:
    first = prints(root)
    write(root / "src/.dockerignore", "main.c\n")
    assert set(prints(root).manifest) == {".dockerignore"}
    write(root / "src/.dockerignore", "*.log\nbuild\n")
    assert value(root) == first.value


@pytest.mark.usefixtures("eager")
def test_ignored_file_that_becomes_a_folder_with_an_exception(root: Path) -> None:
    write(root / "src/.dockerignore", "out\n!out/keep\n")
    write(root / "src/out", "a file that is ignored")
    assert "out" not in prints(root).manifest
    (root / "src/out").unlink()
    write(root / "src/out/keep", "1")
    assert {"out", "out/keep"} <= set(prints(root).manifest)


def test_recent_files_are_not_trusted(root: Path) -> None:
    many(root)
    value(root)
    assert not (root / HASHES).exists()
    assert not (root / FOLDERS).exists()


def test_a_file_is_trusted_once_it_is_older_than_the_walk(
    root: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statcache, "GRAIN_NS", 50_000_000)
    many(root)
    value(root)
    time.sleep(0.1)
    value(root)
    opened.clear()
    write(root / "src/new", "1")
    for _ in range(2):  # its folder is read each time while it is that new, others never
        value(root)
    assert sorted(set(opened)) == [".dockerignore", "main.c", "new"]
    time.sleep(0.1)
    value(root)
    opened.clear()
    value(root)
    assert opened == []


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("cache", [FOLDERS, HASHES])
@pytest.mark.parametrize("damage", ["empty", "junk", "flip", "cut"])
def test_damaged_cache_is_set_aside_and_rebuilt(root: Path, cache: str, damage: str) -> None:
    many(root)
    first = value(root)
    path = root / cache
    data = path.read_bytes()
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    path.write_bytes({"empty": b"", "junk": b"junk", "flip": flipped, "cut": data[:-9]}[damage])
    if cache == HASHES:
        (root / FOLDERS).unlink()
    assert value(root) == first
    assert path.with_name(f"{path.name}.damaged").exists()
    assert path.read_bytes() == data


@pytest.mark.usefixtures("eager")
def test_nothing_is_written_through_a_link(root: Path, tmp_path: Path) -> None:
    (root / ".cache").symlink_to(tmp_path)
    value(root)
    assert not (tmp_path / "localloop").exists()


@pytest.mark.usefixtures("eager")
def test_nothing_is_written_where_nothing_may_be(root: Path) -> None:
    many(root)
    value(root, cache=InputCache(root, writes=False))
    assert not (root / ".cache").exists()


@pytest.mark.usefixtures("eager")
def test_the_same_with_and_without(root: Path) -> None:
    first = prints(root)
    second = prints(root)
    shutil.rmtree(root / ".cache")
    assert first == second == prints(root)
