"""``.dockerignore`` and ``.helmignore``: tables, properties, and BuildKit itself."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.context import ignore_text
from localloop.errors import UsageError
from localloop.inputs.helmignore import HelmIgnore
from localloop.inputs.ignore import CLEAR, Matcher, parse

TABLE = [
    ("", "a", False),
    ("# a", "a", False),
    (" # a", "# a", True),  # only an unindented # starts a comment
    ("\ufeffa", "a", True),
    ("a\r\nb\r\n", "b", True),
    ("  a  ", "a", True),
    ("a/", "a/b", True),
    ("/a", "a", True),
    ("a", "a/b/c", True),
    ("a", "b/a", False),
    ("*", "a/b", True),
    ("*\n!src", "src/x", False),
    ("*\n!src", "lib/x", True),
    ("*\n!src/a", "src/b", True),
    ("*\n!src/a", "src/a/x", False),
    ("! src\nsrc", "src", True),
    ("src\n! src", "src", False),
    ("!a\na", "a", True),
    ("a\n!a\na", "a", True),
    ("**/x", "x", True),
    ("**/x", "a/b/x", True),
    ("**/x", "a/bx", False),
    ("**x", "a/bx", True),
    ("a/**", "a", False),
    ("a/**", "a/b/c", True),
    ("a/**/z", "a/z", True),
    ("a/**/z", "a/b/c/z", True),
    ("**", "a/b", True),
    ("**\n!**/*.c", "a/b/x.c", False),
    ("**\n!**/*.c", "a/b/x.h", True),
    ("*/x", "a/x", True),
    ("*/x", "a/b/x", False),
    ("a?", "ab", True),
    ("a?", "a/", False),
    ("[ab]x", "bx", True),
    ("[^ab]x", "bx", False),
    ("[a-c]", "b", True),
    (r"a\*", "a*", True),
    (r"a\*", "ab", False),
    ("a.b*", "axb", False),
    ("a+b", "a+b", True),
    ("{a,b}*", "{a,b}x", True),
    ("./a/../b", "b", True),
    ("a/b\n!a", "a/b", True),  # an exception for a directory that was not ignored is not passed on
    ("a\n!a/**", "a/b/c", False),
    ("a/b*\n!a/*/**", "a/bb/c", True),  # BuildKit does not look below a/bb here
    ("é?", "éü", True),
    ("a\nb", "a\nb", False),
    ("a", "a\n", False),
    ("a*", "a\n", True),
]


@pytest.mark.parametrize(("text", "path", "ignored"), TABLE)
def test_table(text: str, path: str, ignored: bool) -> None:
    assert Matcher(parse(text)).ignored(path) is ignored


@pytest.mark.parametrize(
    "text", ["!", "[", "[]", "[a", "a\\", "[a-]", r"\d", "a{2}*", "[[:alpha:]]"]
)
def test_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be used") as caught:
        Matcher(parse(text), "x/.dockerignore")
    assert caught.value.where == "x/.dockerignore"


PARTS = ["a", "b", "src", "*", "**", "a*", "?", "*.c", "[ab]", "x.c"]
patterns = st.lists(
    st.tuples(st.sampled_from(["", "!"]), st.lists(st.sampled_from(PARTS), min_size=1, max_size=3)),
    max_size=5,
).map(lambda items: [mark + "/".join(parts) for mark, parts in items])
paths = st.lists(st.sampled_from(["a", "b", "src", "x.c", "ab"]), min_size=1, max_size=4).map(
    "/".join
)


@given(patterns, paths)
@settings(max_examples=500, deadline=None)
def test_prune_never_hides_what_would_come_back(rules: list[str], path: str) -> None:
    """Our own pruning only skips directories where nothing can be brought back."""
    matcher = Matcher(parse("\n".join(rules)))
    parts = path.split("/")
    state = CLEAR
    pruned = False
    for count in range(1, len(parts) + 1):
        here = "/".join(parts[:count])
        ignored, state = matcher.matches(here, state)
        if pruned:
            assert ignored
        elif ignored and count < len(parts) and not matcher._plain:
            pruned = matcher.prunes(here, state)


@given(patterns, paths)
@settings(max_examples=500, deadline=None)
def test_quick_look_agrees_with_the_patterns(rules: list[str], path: str) -> None:
    """The one expression that spares asking each pattern says no only where all of them do."""
    matcher = Matcher(parse("\n".join(rules)))
    alone = any(pattern.match(path) for pattern in matcher.patterns)
    assert alone == (matcher._any(path) is not None)


@given(st.lists(patterns.map("\n".join) | st.text("#!/. *a\r\t\ufeff", max_size=6), max_size=3))
@settings(max_examples=2000, deadline=None)
def test_generated_ignore_file_means_what_was_read(rules: list[str]) -> None:
    """The builder gets the patterns written out again: reading them must give the same."""
    try:
        first = Matcher(parse("\n".join(rules)))
    except UsageError:
        return
    written = ignore_text(parse("\n".join(rules)))
    second = Matcher(parse(written))
    assert [(p.exclusion, p.text) for p in first.patterns] == [
        (p.exclusion, p.text) for p in second.patterns
    ]


@given(patterns, paths)
@settings(max_examples=300, deadline=None)
def test_an_added_pattern_for_the_path_decides(rules: list[str], path: str) -> None:
    text = "\n".join(rules)
    assert Matcher(parse(f"{text}\n{path}")).ignored(path)


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_matches_or_is_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        Matcher(parse(text)).ignored("a/b")


HELM = [
    ("", "templates/.hidden", False, True),
    ("*.bak", "a/b.bak", False, True),
    ("/x", "x", False, True),
    ("/x", "a/x", False, False),
    ("a/x", "a/x", False, True),
    ("dir/", "dir", True, True),
    ("dir/", "dir", False, False),
    ("# c\n\nx", "x", False, True),
    ("!keep", "other", False, True),  # Helm: everything that does not match
    ("!keep", "keep", False, False),
    ("[ab]", "a", False, True),
    ("a\\*", "a*", False, True),
]


@pytest.mark.parametrize(("text", "path", "is_dir", "ignored"), HELM)
def test_helm_table(text: str, path: str, is_dir: bool, ignored: bool) -> None:
    assert HelmIgnore(text).ignored(path, is_dir) is ignored


@pytest.mark.parametrize("text", ["a/**", "["])
def test_helm_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        HelmIgnore(f"ok\n{text}")
    assert caught.value.where == ".helmignore:2"
