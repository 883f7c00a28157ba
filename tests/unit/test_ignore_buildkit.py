"""Ignore files in BuildKit: what a build copies is compared with our inputs."""

from __future__ import annotations

import os
import random
import string
import time
from pathlib import Path

import pytest
from buildkit import AT_A_TIME, Build, bake, copied

from localloop.errors import UsageError
from localloop.fingerprint.stat_cache import StatCache
from localloop.inputs.context import ignore_text
from localloop.inputs.ignore import Matcher, parse
from localloop.inputs.tree import flatten
from localloop.inputs.walk import walk_context

pytestmark = pytest.mark.docker

TREE = [
    "#x", " a", "!a", "-a", ".dockerignore", "Dockerfile", "a*", "a/#x", "a/b/c/x.c", "a/b/y",
    "a/x.c", "ab/x.c", "b", "c/Dockerfile", "src/a/x.c", "src/b", "src/x.c", "x.c", "{a,b}", "é/ü",
]  # fmt: skip
PUNCTUATION = string.punctuation.replace("/", "")
TREE += [f"p/x{char}y" for char in PUNCTUATION]
FIXED = [
    "*\n!a|b*",
    "*\n!src/**\nsrc",
    "*\n!src\nsrc/a",
    "*\n!**",
    "*\n!**\nsrc",
    "*\n!src/a|c*",
    "p/x|q*",
    "*\n!p/x[*|y]*",
    "a{2}\nx.c",
    *(f"p/?{char}*" for char in PUNCTUATION if char not in "[\\"),
    *(f"*\n!p/*\\{char}y" for char in PUNCTUATION),
    *(f"p/x[{char}b]y" for char in PUNCTUATION if char not in "[]\\^-"),
    "",
    "*\n!src",
    "a/b\n!a",
    "**\n!**/*.c",
    "a/b*\n!a/*/**",
    "a\n!a/b",
    "a/\n!a/x.c\na/b",
    "\ufeffa\n#b\n!a/**",
    "# a\n #x\r\n b \r\n",
    "/a\n./b\nsrc/../x.c\n../ab",
    "Dockerfile\n.dockerignore",
    "*\n!Dockerfile",
    "a/**\n!a/**/x.c",
    "**/b",
    "a\\*\n{a,b}",
    "! a\na\n!  a/b",
    "*/\n!src/",
    "./#x\n./!a\na/#x",
]
PARTS = [
    "a",
    "b",
    "src",
    "*",
    "**",
    "a*",
    "?",
    "*.c",
    "[ab]",
    "x.c",
    "a|b*",
    "*|b",
    "[^a]",
    "a\\*",
    "é",
    "..",
    ".",
]
RANDOM = 240
SECONDS = 75


def _random_rules(dice: random.Random) -> str:
    lines = []
    for _ in range(dice.randint(1, 5)):
        path = "/".join(dice.choice(PARTS) for _ in range(dice.randint(1, 3)))
        lines.append(
            dice.choice(["", "", "", "!", "!", "/", "! ", " "]) + path + dice.choice(["", "", "/"])
        )
    if dice.random() < 0.1:
        lines.insert(0, "# a comment")
    return dice.choice(["\n", "\n", "\r\n"]).join(lines)


def _usable(rules: str) -> bool:
    try:
        Matcher(parse(rules))
    except UsageError:  # refused: nothing to compare
        return False
    return True


def test_dockerignore_is_buildkits(tmp_path: Path, seed: int) -> None:
    """As many generated files as time allows, at least a hundred; every second one as localloop
    writes it for the builder."""
    context = tmp_path / "context"
    for name in TREE:
        file = context / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (context / "src/link").symlink_to("../a")
    (context / "empty").mkdir()
    dice = random.Random(seed)
    cases = [*FIXED, *filter(_usable, (_random_rules(dice) for _ in range(RANDOM)))]
    started = time.monotonic()
    compared, wrong = 0, []
    for first in range(0, len(cases), AT_A_TIME):
        if time.monotonic() - started > SECONDS and compared > 100:
            break
        batch = cases[first : first + AT_A_TIME]
        place = tmp_path / f"batch{first}"
        written = [
            ignore_text(parse(rules)) if number % 2 else rules for number, rules in enumerate(batch)
        ]
        bake(place, {f"t{n}": Build(context, ignore=text) for n, text in enumerate(written)})
        for number, rules in enumerate(batch):
            ours = _ours(context, rules)
            theirs = copied(place, f"t{number}")
            compared += 1
            if ours != theirs:
                wrong.append((rules, sorted(ours - theirs), sorted(theirs - ours)))
    print(f"compared {compared} ignore files")
    assert not wrong
    assert compared > 100


def _ours(context: Path, rules: str) -> set[str]:
    matcher = Matcher(parse(rules))
    return set(flatten(walk_context(os.fsencode(context), matcher, None, StatCache(context))))
