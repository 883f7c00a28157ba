"""Changes that BuildKit would not notice in a context get it a new name, and are built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from print_project import write

from localloop.config.project import load_project
from localloop.inputs.context import write_build_context
from localloop.session import Session


def name_of(root: Path) -> str:
    session = Session(load_project(root, environ={}), {}, platform="linux/amd64", blind=True)
    return session.fingerprints.copy_name(session.project.images["app"])


def restore(path: Path, text: str) -> None:
    write(path, text)
    os.utime(path, (1_000_000_000, 1_000_000_000))


def test_an_ordinary_tree_needs_no_name(root: Path) -> None:
    assert name_of(root) == ""
    write(root / "src/main.c", "other")
    assert name_of(root) == ""
    restore(root / "src/debug.log", "ignored")
    assert name_of(root) == ""


def test_the_name_depends_on_the_content_of_restored_files(root: Path) -> None:
    restore(root / "src/main.c", "foo")
    foo = name_of(root)
    assert len(foo) == 16
    write(root / "src/new.c", "an edit as any other")
    assert name_of(root) == foo
    restore(root / "src/main.c", "bar")
    assert name_of(root) not in ("", foo)
    restore(root / "src/main.c", "foo")
    assert name_of(root) == foo
    (root / "src/main.c").rename(root / "src/main.h")
    assert name_of(root) not in ("", foo)


def test_the_name_depends_on_the_modes_of_folders(root: Path) -> None:
    write(root / "src/kept/a.c", "a")
    write(root / "src/own/a.c", "a")
    assert name_of(root) == ""
    (root / "src/own").chmod(0o700)
    own = name_of(root)
    assert len(own) == 16
    write(root / "src/own/a.c", "an edit as any other")
    assert name_of(root) == own
    (root / "src/kept").chmod(0o700)
    both = name_of(root)
    assert both not in ("", own)
    (root / "src/own").chmod(0o755)
    assert name_of(root) not in ("", own, both)
    (root / "src/kept").chmod(0o755)
    assert name_of(root) == ""


def test_a_folder_as_the_umask_makes_it_changes_no_name(root: Path) -> None:
    for path in ("src/a", "src/b"):
        write(root / path / "a.c", "a")
        (root / path).chmod(0o775)
    name = name_of(root)
    assert len(name) == 16
    (root / "src/c").mkdir()
    (root / "src/c").chmod(0o775)
    assert name_of(root) == name


def build(root: Path, out: Path) -> Path:
    """Build the project as a run would; returns where its files went."""
    session = Session(
        load_project(root, environ={}), os.environ, platform="linux/amd64", writes=False
    )
    image = session.project.images["app"]
    made = write_build_context(session.project, image, copy=session.fingerprints.copy_name(image))
    argv = ["docker", "buildx", "build", "--quiet", "--provenance=false"]
    argv += ["--file", str(made.dockerfile), "--output", f"type=local,dest={out}"]
    subprocess.run([*argv, str(made.context)], check=True, capture_output=True, timeout=60)
    return out


@pytest.mark.docker
def test_same_size_edit_with_restored_mtime_is_built(root: Path, tmp_path: Path) -> None:
    write(root / "docker/Dockerfile", "FROM scratch\nCOPY . /\n")
    built = []
    for number, text in enumerate(("foo", "bar", "baz", "foo")):
        restore(root / "src/main.c", text)
        built.append((build(root, tmp_path / f"out-{number}") / "main.c").read_text())
        assert len([*(root / ".cache/localloop/build/app").glob("context-*")]) == 1
    assert built == ["foo", "bar", "baz", "foo"]


@pytest.mark.docker
def test_a_folders_mode_alone_is_built(root: Path, tmp_path: Path) -> None:
    write(root / "docker/Dockerfile", "FROM scratch\nCOPY . /\n")
    write(root / "src/own/a.c", "a")
    wanted = [0o755, 0o700, 0o755, 0o777, 0o2755, 0o1777, 0o755, 0o700, 0o775, 0o755]
    built = []
    for number, mode in enumerate(wanted):
        (root / "src/own").chmod(mode)
        built.append((build(root, tmp_path / f"out-{number}") / "own").stat().st_mode & 0o7777)
    assert built == wanted
