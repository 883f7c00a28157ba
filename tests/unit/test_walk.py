"""The tree walk and the resolution of COPY sources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localloop.errors import UsageError
from localloop.fingerprint.stat_cache import StatCache
from localloop.inputs.chart_walk import walk_chart
from localloop.inputs.helm_ignore import HelmIgnore
from localloop.inputs.ignore import Matcher, parse
from localloop.inputs.names import printable_path
from localloop.inputs.sources import resolve_sources
from localloop.inputs.tree import flatten
from localloop.inputs.walk import walk_context


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/one.c", "a/two.h", "b/deep/three.c", "b/four", "top"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(tree: Path, rules: str = "", sources: list[str] | None = None) -> list[str]:
    root = os.fsencode(tree)
    found = None if sources is None else resolve_sources(root, sources)
    return sorted(flatten(walk_context(root, Matcher(parse(rules)), found, StatCache(tree))))


def test_everything_sorted(tree: Path) -> None:
    assert names(tree) == [
        "a", "a/one.c", "a/two.h", "b", "b/deep", "b/deep/three.c", "b/four", "top"
    ]  # fmt: skip


def test_an_ignored_directory_is_kept_for_what_is_re_included(tree: Path) -> None:
    assert names(tree, "*\n!b/deep/three.c") == ["b", "b/deep", "b/deep/three.c"]
    assert names(tree, "b\n!b/nothing") == ["a", "a/one.c", "a/two.h", "top"]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["a"], ["a", "a/one.c", "a/two.h"]),
        ([""], None),
        (["*/*.c"], ["a/one.c"]),
        (["b/*"], ["b/deep", "b/deep/three.c", "b/four"]),
        (["missing"], []),
        (["to[op]", "a/t?o.h"], ["a/two.h", "top"]),
        (["b/**/three.c"], ["b", "b/deep", "b/deep/three.c", "b/four"]),
        ([], []),
    ],
)
def test_sources(tree: Path, sources: list[str], expected: list[str] | None) -> None:
    assert names(tree, "", sources) == (names(tree) if expected is None else expected)


def test_source_through_links(tree: Path) -> None:
    (tree / "l1").symlink_to("l2")
    (tree / "l2").symlink_to("b/deep")
    assert names(tree, "", ["l1/three.c"]) == ["b/deep/three.c", "l1", "l2"]
    assert names(tree, "", ["l?"]) == ["b/deep", "b/deep/three.c", "l1", "l2"]


def test_link_inside_a_link_target(tree: Path) -> None:
    (tree / "dir").symlink_to("a")
    (tree / "x").symlink_to("dir/one.c")
    assert names(tree, "", ["x"]) == ["a/one.c", "dir", "x"]


def test_link_target_with_pattern_characters(tree: Path) -> None:
    (tree / "[a]").mkdir()
    (tree / "[a]" / "f").write_text("1")
    (tree / "x").symlink_to("[a]/f")
    assert names(tree, "", ["x"]) == ["[a]/f", "x"]


@pytest.mark.parametrize("target", ["/etc", "../outside", "a/../../x"])
def test_source_link_out_is_refused(tree: Path, target: str) -> None:
    (tree / "x").symlink_to(target)
    with pytest.raises(UsageError, match="out of the context"):
        names(tree, "", ["x"])


def test_chart_follows_links_inside_the_project(tree: Path) -> None:
    chart = tree / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("x")
    (chart / "lib").symlink_to("../b")
    (chart / "gone").symlink_to("nowhere")
    (chart / "skip").symlink_to("/etc")
    ignore = HelmIgnore("skip\nfour")
    found = walk_chart(os.fsencode(chart), ignore, os.fsencode(tree), StatCache(tree))
    assert {name: word[:1] for name, word in flatten(found).items()} == {
        "Chart.yaml": b"f",
        "gone": b"l",
        "lib": b"l",
        "lib/deep/three.c": b"f",
    }


def test_a_printable_path_is_one_line() -> None:
    assert printable_path(b"a\n\x1b[31m\xff") == r"a\n\x1b[31m\xff"
