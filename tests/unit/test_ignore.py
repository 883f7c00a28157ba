"""``.dockerignore`` and ``.helmignore``: tables, properties, and BuildKit itself."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.errors import UsageError
from localloop.inputs.helmignore import HelmIgnore
from localloop.inputs.ignore import Matcher, parse
from localloop.inputs.walk import walk_context

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
    state: tuple[bool, ...] = ()
    pruned = False
    for count in range(1, len(parts) + 1):
        here = "/".join(parts[:count])
        ignored, state = matcher.matches(here, state)
        if pruned:
            assert ignored
        elif ignored and count < len(parts) and not matcher._plain:
            pruned = matcher.prunes(here, state)


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


# -- BuildKit as the judge

TREE = ["a/b/c/x.c", "a/b/y", "a/x.c", "ab/x.c", "b", "src/a/x.c", "src/b", "src/x.c", "x.c", "é/ü"]
FIXED = [
    "*\n!src",
    "a/b\n!a",
    "**\n!**/*.c",
    "a/b*\n!a/*/**",
    "a\n!a/b",
    "a/\n!a/x.c\na/b",
    "\ufeffa\n#b\n!a/**",
]


def _random_rules(count: int) -> list[str]:
    dice = random.Random(7)
    rules = []
    for _ in range(count):
        lines = [
            dice.choice(["", "", "!"])
            + "/".join(dice.choice(PARTS) for _ in range(dice.randint(1, 3)))
            for _ in range(dice.randint(1, 5))
        ]
        rules.append("\n".join(lines))
    return rules


@pytest.mark.docker
def test_the_same_as_buildkit(tmp_path: Path) -> None:
    probe = ["docker", "buildx", "inspect"]
    if (
        not shutil.which("docker")
        or subprocess.run(probe, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs a running Docker with buildx")
    context = tmp_path / "context"
    for name in TREE:
        file = context / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    build = ["docker", "buildx", "build", "-q", "-f", str(dockerfile)]
    wrong = []
    for number, rules in enumerate(FIXED + _random_rules(40)):
        (tmp_path / "Dockerfile.dockerignore").write_text(rules)
        out = tmp_path / f"out{number}"
        done = subprocess.run(
            [*build, "--output", f"type=local,dest={out}", str(context)],
            check=False,
            capture_output=True,
            text=True,
        )
        ours = {
            entry.path.decode() for entry in walk_context(bytes(context), Matcher(parse(rules)))
        }
        assert done.returncode == 0, (rules, done.stderr)
        theirs = {str(path.relative_to(out)) for path in out.rglob("*")}
        if ours != theirs:
            wrong.append((rules, ours, theirs))
    assert not wrong
