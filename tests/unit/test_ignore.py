"""``.dockerignore`` and ``.helmignore``: tables, properties, and BuildKit itself."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localloop.errors import UsageError
from localloop.inputs.context import ignore_text
from localloop.inputs.helm_ignore import HelmIgnore
from localloop.inputs.ignore import NOTHING_MATCHED, Matcher, parse

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
    ("a/b\n!a", "a/b", True),  # a directory that was not ignored does not pass its exclusion on
    ("a\n!a/**", "a/b/c", False),
    ("a/b*\n!a/*/**", "a/bb/c", True),  # BuildKit does not look below a/bb here
    ("é?", "éü", True),
    ("a\nb", "a\nb", False),
    ("a", "a\n", False),
    ("a*", "a\n", True),
    # A | reaches BuildKit's regular expression, whose first part alone is anchored at the start,
    # and whose last alone at the end.
    ("*\n!a|b*", "xb", False),
    ("*\n!a|b*", "ax", False),
    ("*\n!a|b*", "x", True),
    ("a|b*", "xbx", True),
    ("a|b*", "c/xa", False),
    ("a*|x|b", "cxd", True),
    ("a*|x|b", "cb", True),
    ("a*|x|b", "cbd", False),
    ("?|b", "cb/x", True),
    ("a|^b*", "xb", False),
    ("a|^b*", "bx", True),
    ("a|b", "a|b", True),  # without a wildcard it is text
    ("a|b", "a", False),
    ("a|b/**", "a|b/x", True),
    ("**/a|b", "x/a|b", True),
    ("[a|b]c", "|c", True),
    ("[a|b]c", "xbc", False),
    ("[*|b]*", "xb]", True),  # BuildKit writes its [^/]* into the class, which that ends
    ("a{2}", "a{2}", True),
]


def literal(char: str) -> str:
    """A pattern for a file of that name."""
    return "\\" + char if char in "*?[]\\^|" else char


@pytest.mark.parametrize("char", sorted(set(string.punctuation) - {"/"}))
@pytest.mark.parametrize("form", ["{}", "x{}y", "x{}*", "?{}", "**/{}x", "{}/**", "x*/{}"])
def test_all_punctuation_but_wildcards_is_text(char: str, form: str) -> None:
    if (form[0] == "{" and char in "#!") or (char == "." and form in ("{}", "{}/**", "x*/{}")):
        pytest.skip("a comment, an exclusion, the directory itself")
    name = form.replace("**", "q/q").replace("*", "z").replace("?", "w")
    for text in {literal(char), char} if char not in "*?[]\\^|" else {literal(char)}:
        assert Matcher(parse(form.format(text))).ignored(name.format(char))
        for other in string.punctuation.replace("/", "").replace(char, "") + "ab":
            assert not Matcher(parse(form.format(text))).ignored(name.format(other)), other


@pytest.mark.parametrize("char", sorted(set(string.punctuation) - set("/[]\\^-*?")))
def test_all_punctuation_in_a_class_is_text(char: str) -> None:
    matcher = Matcher(parse(f"x[a{char}b]"))
    for other in string.printable.replace("/", ""):
        assert matcher.ignored("x" + other) == (other in f"a{char}b"), other


@pytest.mark.parametrize(("text", "path", "ignored"), TABLE)
def test_table(text: str, path: str, ignored: bool) -> None:
    assert Matcher(parse(text)).ignored(path) is ignored


@pytest.mark.parametrize(
    "text", ["!", "[", "[]", "[a", "a\\", "[a-]", r"\d", "a{2}*", "a{2,}|*", "[[:alpha:]]"]
)
def test_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be used") as caught:
        Matcher(parse(text), "x/.dockerignore")
    assert caught.value.where == "x/.dockerignore"


PARTS = ["a", "b", "src", "*", "**", "a*", "?", "*.c", "[ab]", "x.c", "a|b*", "*|x", "s|c"]
patterns = st.lists(
    st.tuples(st.sampled_from(["", "!"]), st.lists(st.sampled_from(PARTS), min_size=1, max_size=3)),
    max_size=5,
).map(lambda items: [mark + "/".join(parts) for mark, parts in items])
paths = st.lists(st.sampled_from(["a", "b", "src", "x.c", "ab"]), min_size=1, max_size=4).map(
    "/".join
)


@given(patterns, paths)
@settings(max_examples=500, deadline=None)
def test_prune_never_hides_what_would_be_re_included(rules: list[str], path: str) -> None:
    """Our own pruning only skips directories where nothing can be re-included."""
    matcher = Matcher(parse("\n".join(rules)))
    parts = path.split("/")
    state = NOTHING_MATCHED
    pruned = False
    for count in range(1, len(parts) + 1):
        here = "/".join(parts[:count])
        ignored, state = matcher.matches(here, state)
        if pruned:
            assert ignored
        elif ignored and count < len(parts) and not matcher.plain_exclusions:
            pruned = matcher.can_skip(here, state)


@given(patterns, paths)
@settings(max_examples=500, deadline=None)
def test_the_combined_expression_agrees_with_the_patterns(rules: list[str], path: str) -> None:
    """The combined expression matches exactly where one of the patterns does."""
    matcher = Matcher(parse("\n".join(rules)))
    alone = any(pattern.match(path) for pattern in matcher.patterns)
    assert alone == (matcher.any_matches(path) is not None)


@pytest.mark.slow
@example(["a / /"])
@given(st.lists(patterns.map("\n".join) | st.text("#!/. *a\r\t\ufeff", max_size=6), max_size=3))
@settings(max_examples=2000, deadline=None)
def test_generated_ignore_file_means_what_was_read(rules: list[str]) -> None:
    """Reading the ignore file that is written for the builder gives the same patterns."""
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
    ("\ufeffx", "x", False, True),
    ("y\n\ufeffx", "x", False, False),
    ("x\fy", "x\fy", False, True),
    ("x\ry", "y", False, False),
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
