"""Files whose mtime was restored: what BuildKit is told, and what it builds."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from print_project import write

from localloop.config import load_project
from localloop.context import write_build_context
from localloop.session import Session


def name_of(root: Path) -> str:
    session = Session(load_project(root, environ={}), {}, platform="linux/amd64", blind=True)
    return session.restored(session.project.images["app"])


def restore(path: Path, text: str) -> None:
    write(path, text)
    os.utime(path, (1_000_000_000, 1_000_000_000))


def test_a_tree_as_it_was_written_needs_no_name(root: Path) -> None:
    assert name_of(root) == ""
    write(root / "src/main.c", "other")
    assert name_of(root) == ""
    restore(root / "src/debug.log", "ignored")
    assert name_of(root) == ""


def test_the_name_is_that_of_the_restored_files_contents(root: Path) -> None:
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


@pytest.mark.docker
def test_same_size_edit_with_restored_mtime_is_built(root: Path, tmp_path: Path) -> None:
    write(root / "docker/Dockerfile", "FROM scratch\nCOPY . /\n")
    built = []
    for text in ("foo", "bar", "baz", "foo"):
        restore(root / "src/main.c", text)
        project = load_project(root, environ={})
        session = Session(project, os.environ, platform="linux/amd64", writes=False)
        image = project.images["app"]
        made = write_build_context(project, image, restored=session.restored(image))
        out = tmp_path / f"out-{time.monotonic_ns()}"
        argv = ["docker", "buildx", "build", "--quiet", "--provenance=false"]
        argv += ["--file", str(made.dockerfile), "--output", f"type=local,dest={out}"]
        subprocess.run([*argv, str(made.context)], check=True, capture_output=True, timeout=60)
        built.append((out / "main.c").read_text())
        assert len([*made.dockerfile.parent.glob("context-*")]) == 1
    assert built == ["foo", "bar", "baz", "foo"]
