"""``localloop fingerprint PATH``: the same for every checkout of the same files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from print_project import git, write

from localloop.__main__ import main


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory that is not a project."""
    root = tmp_path / "tree"
    write(root / "a.c", "1")
    write(root / "deep/b.c", "2")
    write(root / "deep/run", "3").chmod(0o755)
    (root / "link").symlink_to("deep/b.c")
    return root


@pytest.fixture
def value(capsys: pytest.CaptureFixture[str]):
    def fingerprint(path: Path, *words: str) -> str:
        assert main(["fingerprint", str(path), *words]) == 0
        return capsys.readouterr().out.strip()

    return fingerprint


def test_stable_across_add_commit_checkout_and_clone(tree: Path, tmp_path: Path, value) -> None:
    seen = {value(tree)}
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    seen.add(value(tree))
    git(tree, "commit", "-qm", "x")
    seen.add(value(tree))
    git(tree, "checkout", "-qb", "side")
    write(tree / "deep/b.c", "side")
    git(tree, "commit", "-qam", "y")
    other = value(tree)
    git(tree, "checkout", "-q", "main")
    seen.add(value(tree))
    before = os.umask(0o077)
    try:
        git(tree, "clone", "-q", str(tree), str(tmp_path / "clone"))
    finally:
        os.umask(before)
    seen.add(value(tmp_path / "clone"))
    git(tree, "worktree", "add", "-q", "--detach", str(tmp_path / "worktree"))
    seen.add(value(tmp_path / "worktree"))
    (tree / "left/empty").mkdir(parents=True)  # git does not track directories
    seen.add(value(tree))
    assert len(seen) == 1
    assert len(seen.pop()) == 64
    assert other not in seen


def test_every_kind_of_edit_is_seen(tree: Path, value) -> None:
    seen = [value(tree)]
    write(tree / "a.c", "2")
    seen.append(value(tree))
    (tree / "a.c").chmod(0o755)
    seen.append(value(tree))
    (tree / "a.c").rename(tree / "c.c")
    seen.append(value(tree))
    (tree / "link").unlink()
    (tree / "link").symlink_to("./deep/b.c")
    seen.append(value(tree))
    write(tree / os.fsdecode(b"bad\xff"), "not a name that BuildKit takes")
    seen.append(value(tree))
    assert len(set(seen)) == len(seen)


def test_inputs_narrow_it(tree: Path, value) -> None:
    sources = value(tree, "--inputs", "**/*.c")
    without = value(tree, "--inputs", "!deep/run", "!link")
    assert sources == without != value(tree)
    write(tree / "deep/run", "other")
    assert value(tree, "--inputs", "**/*.c") == sources
    write(tree / "deep/b.c", "other")
    assert value(tree, "--inputs", "**/*.c") != sources
    assert value(tree, "--inputs", "deep", "!deep/b.c") == value(tree, "--inputs", "deep/run")


def test_a_directory_is_matched(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree / "src/only/folders/a.c", "1")
    (tree / "void").mkdir()
    assert main(["fingerprint", str(tree), "--inputs", "src", "void", "none"]) == 0
    assert capsys.readouterr().err == "warning: --inputs: none matches nothing\n"


def test_json(tree: Path, value) -> None:
    shown = json.loads(value(tree, "-o", "json", "--inputs", "deep"))
    assert shown == {
        "path": str(tree),
        "inputs": ["deep"],
        "fingerprint": value(tree, "--inputs", "deep"),
        "files": 2,
        "links": 0,
    }


def test_nothing_is_written(tree: Path, value) -> None:
    before = sorted(tree.rglob("*"))
    value(tree)
    assert sorted(tree.rglob("*")) == before


def test_copy_is_the_same(tree: Path, tmp_path: Path, value) -> None:
    shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    assert value(tmp_path / "copy") == value(tree)


def test_no_directory_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fingerprint", str(tmp_path / "none")]) == 2
    assert "none is not a directory" in capsys.readouterr().err
