"""Inputs that fooled others, and that must work or be refused by name: one test a row."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from print_project import make, prints, value, write

from localloop.errors import UsageError
from localloop.fingerprint.explain import load_manifest, save_manifest

NAMES = [
    b"new\nline",
    b"a space",
    b"-dash",
    b" leading",
    b"$(id)",
    b"\x1b[31m",
    "é".encode(),
    "e\u0301".encode(),
    b"A",
    b"a",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_works_odd_name(root: Path, name: bytes) -> None:
    first = value(root)
    path = root / "src" / os.fsdecode(name)
    path.write_text("1")
    second = prints(root)
    assert name.decode() in second.manifest
    path.write_text("2")
    assert len({first, second.value, value(root)}) == 3


def test_works_upper_and_lower_case_are_two_files(root: Path) -> None:
    write(root / "src/A", "1")
    write(root / "src/a", "2")
    first = prints(root)
    assert {"A", "a"} <= set(first.manifest)
    write(root / "src/A", "2")
    write(root / "src/a", "1")
    assert value(root) != first.value


def test_works_two_normal_forms_are_two_files(root: Path) -> None:
    write(root / "src/é", "1")
    write(root / "src/e\u0301", "1")
    assert {"é", "e\u0301"} <= set(prints(root).manifest)


def test_works_name_that_is_not_utf8(root: Path) -> None:
    bad = os.fsdecode(b"bad\xff.yaml")
    write(root / "src" / bad, "1")
    with pytest.raises(UsageError, match=r"bad\\xff.yaml is not UTF-8") as caught:
        value(root)
    assert "\n" not in caught.value.message
    (root / "src" / bad).rename(root / "src/build.log")
    value(root)
    write(root / "chart/templates" / bad, "1")  # no business of BuildKit's
    save_manifest(root, prints(root, "web"))
    assert load_manifest(root, value(root, "web")) is not None


def test_works_dangling_link_and_link_loop(root: Path) -> None:
    (root / "src/dangling").symlink_to("nowhere")
    (root / "src/loop").symlink_to("loop")
    assert {"dangling", "loop"} <= set(prints(root).manifest)


def test_works_link_out_of_the_tree(root: Path) -> None:
    (root / "src/hosts").symlink_to("/etc/hosts")  # copied as a link: its text counts
    value(root)
    write(root / "docker/Dockerfile", "FROM alpine:3\nCOPY hosts /\n")
    with pytest.raises(UsageError, match="link out of the context"):
        value(root)
    (root / "chart/hosts").symlink_to("/etc/hosts")
    with pytest.raises(UsageError, match="out of the project"):
        value(root, "web")


def test_works_link_loop_as_a_source(root: Path) -> None:
    (root / "src/loop").symlink_to("loop")
    write(root / "docker/Dockerfile", "FROM alpine:3\nCOPY loop /\n")
    with pytest.raises(UsageError, match="loop of links"):
        value(root)


def test_works_link_loop_in_a_chart(root: Path) -> None:
    (root / "chart/templates/up").symlink_to("..")
    with pytest.raises(UsageError, match="leads back"):
        value(root, "web")


def test_works_fifo_is_refused_by_name_and_never_opened(root: Path) -> None:
    os.mkfifo(root / "src/pipe")
    with pytest.raises(UsageError, match="pipe is a FIFO"):
        value(root)  # an open would hang
    os.mkfifo(root / "chart/pipe")
    with pytest.raises(UsageError, match="pipe is a FIFO"):
        value(root, "web")


def test_works_socket_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "src")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(UsageError, match="s is a socket"):
            value(root)


def test_works_device_is_refused(root: Path) -> None:
    try:
        os.mknod(root / "src/null", 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this user may not make devices (CAP_MKNOD)")
    with pytest.raises(UsageError, match="null is a character device"):
        value(root)


def test_works_ignored_special_file_is_no_error(root: Path) -> None:
    os.mkfifo(root / "src/pipe.log")
    value(root)


@contextmanager
def as_nobody(root: Path) -> Iterator[None]:
    """Without root's right to read everything; the tree is where every user may go."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """The project where other users can reach it: pytest's directories are its user's alone."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield make(Path(place) / "project")


@pytest.mark.parametrize("path", ["main.c", "locked", "locked/deep/f"])
def test_works_unreadable_input_is_an_error(open_root: Path, path: str) -> None:
    write(open_root / "src/locked/deep/f", "1")
    (open_root / "src" / path).chmod(0)
    with as_nobody(open_root), pytest.raises(UsageError) as caught:
        value(open_root)
    assert caught.value.message == f"the input {path} cannot be read: Permission denied"
    write(open_root / "src/.dockerignore", f"{path}\n")
    with as_nobody(open_root):
        value(open_root)


@pytest.mark.parametrize(
    "mode", [0o000, 0o400, 0o100], ids=["closed", "only-listed", "only-entered"]
)
@pytest.mark.parametrize("source", ["locked/*/f", "locked/deep/*", "lock*/deep/f*", "way/*"])
def test_works_unreadable_folder_on_the_way_of_a_wildcard(
    open_root: Path, source: str, mode: int
) -> None:
    """It is not an empty one."""
    write(open_root / "src/locked/deep/f", "1")
    (open_root / "src/way").symlink_to("locked/deep")
    write(open_root / "docker/Dockerfile", f"FROM alpine:3\nCOPY {source} /x/\n")
    assert "locked/deep/f" in prints(open_root).manifest
    shutil.rmtree(open_root / ".cache", ignore_errors=True)
    (open_root / "src/locked").chmod(mode)
    with as_nobody(open_root), pytest.raises(UsageError) as caught:
        value(open_root)
    (open_root / "src/locked").chmod(0o755)
    assert re.fullmatch(
        r"the input locked\S* cannot be read: Permission denied", caught.value.message
    )


def test_works_unreadable_chart_is_an_error(open_root: Path) -> None:
    (open_root / "chart/templates/a.yaml").chmod(0)
    with as_nobody(open_root), pytest.raises(UsageError, match=r"a\.yaml cannot be read"):
        value(open_root, "web")


def test_works_file_that_grows_while_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(root / "src/growing", b"x" * 10)
    real = os.read

    def grow(handle: int, size: int) -> bytes:
        with file.open("ab") as more:
            more.write(b"y")
        return real(handle, size)

    monkeypatch.setattr(os, "read", grow)
    for _ in range(2):  # each walk says so
        assert "growing" in prints(root).moved


def test_works_file_that_goes_while_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor's temporary file is gone between the listing and the reading."""
    first = value(root)
    file = write(root / "src/4913", "x")
    real = os.open

    def take_away(path: bytes, flags: int) -> int:
        file.unlink(missing_ok=True)
        return real(path, flags)

    monkeypatch.setattr(os, "open", take_away)
    assert value(root) == first


def test_works_sparse_file_is_streamed(root: Path) -> None:
    import tracemalloc

    with (root / "src/sparse").open("wb") as handle:
        handle.truncate(256 << 20)
    tracemalloc.start()
    value(root)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def test_works_ignored_directories_are_never_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        write(root / f"src/build/{number}/deep/file", "x")
    write(root / "src/.dockerignore", "build\n!keep/*.c\n")
    read: list[bytes] = []
    real = os.scandir

    def scandir(path: bytes) -> object:
        read.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    value(root)
    assert read == [os.fsencode(root / "src")]
