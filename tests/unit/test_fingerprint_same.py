"""What must not change a fingerprint: one test a row."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from print_project import CONFIG, git, make, prints, value, write

from localloop.config.project import load_project
from localloop.fingerprint.components import fingerprint_cluster


def test_same_touch(root: Path) -> None:
    first = value(root)
    os.utime(root / "src/main.c", (1, 1))
    assert value(root) == first


def test_same_git_add_commit_and_branches(root: Path) -> None:
    seen = {value(root)}  # no repository at all
    git(root, "init", "-q", "-b", "main")
    seen.add(value(root))  # a repository without a commit
    git(root, "add", ".")
    seen.add(value(root))
    git(root, "commit", "-qm", "x")
    seen.add(value(root))
    git(root, "checkout", "-qb", "side")
    write(root / "src/main.c", "side")
    git(root, "commit", "-qam", "y")
    other = value(root)
    git(root, "checkout", "-q", "main")
    seen.add(value(root))
    assert len(seen) == 1
    assert other not in seen


def test_same_clone_elsewhere(root: Path, tmp_path: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    clone = tmp_path / "deep" / "another name"
    clone.parent.mkdir()
    git(root, "clone", "-q", str(root), str(clone))
    for name in ("app", "web"):
        assert value(clone, name) == value(root, name)


def test_same_umask(tmp_path: Path) -> None:
    """Of charts, manifests and cluster inputs; an image has the modes in it."""
    seen: list[set[str]] = [set(), set(), set(), set()]
    for mask in (0o002, 0o022, 0o077):
        before = os.umask(mask)
        try:
            root = make(tmp_path / oct(mask))
            config = CONFIG + "  raw: {manifests: [infra], namespace: demo}\n"
            write(root / "localloop.yml", config)
            cluster = fingerprint_cluster(load_project(root, environ={}))
        finally:
            os.umask(before)
        assert cluster is not None
        found = value(root, "web"), value(root, "raw"), cluster.value, value(root)
        for values, one in zip(seen, found, strict=True):
            values.add(one)
    assert [len(values) for values in seen] == [1, 1, 1, 3]


def test_same_in_another_locale(root: Path) -> None:
    write(root / "src/é ünï", "x")
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:];"
        "from localloop.config.project import load_project;"
        "from localloop.fingerprint.components import fingerprint_image as f;"
        "p = load_project(Path(sys.argv[1]), environ={});"
        "print(f(p, p.images['app'], base_digests={}, platform='x/y', builder='b').value)"
    )
    seen = set()
    for locale in (
        {"LC_ALL": "C.UTF-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.ISO-8859-9", "PYTHONUTF8": "0"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, str(root), *filter(None, sys.path)],
            env={"PATH": os.environ["PATH"], **locale},
            check=True,
            capture_output=True,
            text=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_same_reversed_readdir(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdef":
        write(root / f"src/{name}/{name}", name)
        write(root / f"chart/files/{name}", name)
    first = value(root), value(root, "web")
    scandir, listdir = os.scandir, os.listdir

    @contextmanager
    def reversed_scandir(path: bytes) -> Iterator[Iterator[os.DirEntry[bytes]]]:
        with scandir(path) as found:
            yield iter(list(found)[::-1])

    monkeypatch.setattr(os, "scandir", reversed_scandir)
    monkeypatch.setattr(os, "listdir", lambda path: listdir(path)[::-1])
    assert (value(root), value(root, "web")) == first


def test_same_edit_in_an_ignored_path(root: Path) -> None:
    first = value(root)
    write(root / "src/debug.log", "x")
    write(root / "src/build/out/x", "x")
    write(root / "src/.git/HEAD", "x")
    assert value(root) == first


def test_same_after_our_own_first_run(root: Path) -> None:
    write(root / "localloop.yml", CONFIG.replace(", context: src}", "}"))
    first = prints(root)
    for name in ("localloop", "deploy-reports", "perf"):
        write(root / ".cache" / name / "x", "x")
    assert value(root) == first.value
    write(root / ".cache/theirs/x", "x")  # anything else in it is the user's
    assert {*prints(root).manifest} == {
        *first.manifest, ".cache", ".cache/theirs", ".cache/theirs/x"
    }  # fmt: skip


def test_same_chart_after_our_own_first_run(root: Path) -> None:
    """Where the project's directory is the chart's."""
    write(root / "Chart.yaml", "name: web\n")
    write(root / "localloop.yml", CONFIG.replace("path: chart,", "path: .,"))
    first = value(root, "web")
    for name in ("localloop", "deploy-reports", "perf"):
        write(root / ".cache" / name / "x", "x")
    assert value(root, "web") == first
    seen = {first}
    for place in (".cache/theirs", "their.cache/perf"):
        write(root / place / "x", "x")
        seen.add(value(root, "web"))
    assert len(seen) == 3


def test_same_unrelated_component_edit(root: Path) -> None:
    first = value(root), value(root, "web")
    write(root / "other/file", "y")
    assert (value(root), value(root, "web")) == first


def test_same_from_a_subdirectory(root: Path) -> None:
    assert value(root / "src") == value(root)


def test_same_argument_that_the_dockerfile_does_not_declare(root: Path) -> None:
    assert value(root, "other", profile="fast") == value(root, "other", profile="slow")


def test_same_unhashed_argument(root: Path) -> None:
    seen = set()
    for version in ("1", "2"):
        text = CONFIG.replace("src}", f"src, unhashed_args: {{MODE: {version}}}}}")
        write(root / "localloop.yml", text)
        seen.add(value(root))
    assert len(seen) == 1
