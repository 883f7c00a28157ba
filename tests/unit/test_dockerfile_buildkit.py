"""Dockerfiles in BuildKit: what a build copies is what we count as input."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from buildkit import Build, bake, copied
from print_project import write

from localloop.fingerprint.stat_cache import StatCache
from localloop.inputs.dockerfile import analyse
from localloop.inputs.ignore import Matcher
from localloop.inputs.sources import resolve_sources
from localloop.inputs.tree import flatten
from localloop.inputs.walk import walk_context

pytestmark = pytest.mark.docker

NAMES = ["a", "b", "a\xa0b", "a\u2028b", "a\x85b", "deps.git/f", "github.com/a/b.git/f"]
NAMES += ["git@home", "x\vy", "EOF"]
DOCKERFILES = [
    "FROM scratch\nCOPY a /\n# old:\fFROM scratch\n",
    "FROM scratch\nCOPY a /\n# old:\u2028FROM scratch\n",
    "FROM scratch\nCOPY a /\n# old:\rFROM scratch\n",
    "FROM scratch\nCOPY a /\n# old:\x1cFROM scratch\n",
    "FROM scratch\r\nCOPY a \\\r\n b /\r\n",
    "FROM scratch\nCOPY\ta\vb\f/\n",
    "FROM\fscratch\nCOPY a\rb /\n",
    "FROM scratch\nCOPY a\xa0b /\n",
    "FROM scratch\nCOPY a\u2028b /\n",
    "FROM scratch\nCOPY a\x85b /\n",
    "FROM scratch\nCOPY <<EOF /EOF\nx\x85EOF\nCOPY b /\nEOF\nCOPY a /\n",
    "FROM scratch\nADD deps.git /deps.git/\n",
    "FROM scratch\nADD github.com/a/b.git /github.com/a/b.git/\n",
    "FROM scratch\nADD git@home /\n",
    *(
        f"ARG G=a\nFROM scratch\n{lines} /\n"
        for lines in (
            "ENV V=b\nARG V=a\nCOPY $V",
            "ARG V=b\nENV V=a\nCOPY $V",
            "ENV V=a\nENV V=b W=$V\nCOPY $W",
            "ENV V=b\nARG G\nCOPY $G",
            "ARG G=b\nCOPY $G",
            "ENV V=b\nARG V\nCOPY ${V:-a}",
            "ARG V=\nCOPY ${V:-a} a$V",
            'ENV V "a"\nCOPY ["$V", "/"]\nADD "${V}"',
            "ENV V=a\nFROM scratch\nCOPY a",
            "ARG V=a W=$V\nENV X=b\nCOPY ${X}",
        )
    ),
]


def test_lines_words_and_addresses(tmp_path: Path) -> None:
    context = tmp_path / "context"
    for name in NAMES:
        write(context / name, name)
    builds = {f"d{n}": Build(context, dockerfile=text) for n, text in enumerate(DOCKERFILES)}
    bake(tmp_path / "builds", builds)
    files = set(NAMES)
    for number, text in enumerate(DOCKERFILES):
        theirs = copied(tmp_path / "builds", f"d{number}") & files
        ours = counted(context, text) & files
        if "EOF" in text:
            theirs -= {"EOF"}
        assert ours == theirs != set(), text


def counted(context: Path, dockerfile: str) -> set[str]:
    root = os.fsencode(context)
    found = analyse(dockerfile)
    assert found.sources is not None
    sources = resolve_sources(root, found.sources)
    return {*flatten(walk_context(root, Matcher([]), sources, StatCache(context)))}
