"""``localloop fingerprint PATH``: one value for the files of any directory, project or not."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path

from ..errors import UsageError
from ..fingerprint.stat_cache import StatCache
from ..inputs.context import builtin_patterns, declared_patterns
from ..inputs.declared import to_ignore_pattern, unmatched_inputs
from ..inputs.ignore import Matcher
from ..inputs.names import one_line
from ..inputs.tree import Folder, Tree, tree_digest, tree_entries, tree_entry
from ..inputs.walk import walk_context
from .console import Console


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line of ``localloop fingerprint``."""

    path: Path
    inputs: Sequence[str] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    parser.add_argument("path", type=Path, metavar="PATH", help="a directory")
    parser.add_argument(
        "--inputs",
        nargs="+",
        default=(),
        metavar="GLOB",
        help="the files that count, as .dockerignore patterns; '!GLOB' excludes",
    )


def run(options: Options, console: Console) -> int:
    """Print the fingerprint; 0. Raises UsageError (``input_missing``)."""
    path, inputs = options.path, tuple(options.inputs)
    if not path.is_dir():
        raise UsageError("input_missing", f"{path} is not a directory")
    walked = fingerprinted(path, inputs)
    for pattern in unmatched_inputs(inputs, walked):
        print(f"warning: --inputs: {one_line(pattern)} matches nothing", file=sys.stderr)
    tree = _as_git(walked)
    value = tree_digest(b"tree 2", tree)
    kinds = [word[:1] for folder in tree.values() for _, word in tree_entries(folder.section)]
    console.document(
        {
            "path": str(path.absolute()),
            "inputs": list(inputs),
            "fingerprint": value,
            "files": kinds.count(b"f"),
            "links": kinds.count(b"l"),
        }
    )
    if not console.as_json:
        console.say(value)
    return 0


def fingerprinted(root: Path, inputs: tuple[str, ...]) -> Tree:
    """What is below a directory; every byte is read.

    ``inputs`` are patterns as in localloop.yml; ``!`` excludes. ``.git`` and localloop's own
    directories are left out. Raises UsageError (``input_missing``) if no pattern matches.
    """
    named = [pattern for pattern in inputs if not pattern.startswith("!")]
    patterns = (
        declared_patterns(inputs, at_root=False) if named else list(map(to_ignore_pattern, inputs))
    )
    matcher = Matcher([*patterns, *builtin_patterns(inputs)], "--inputs")
    tree = walk_context(
        os.fsencode(root), matcher, None, StatCache(root, keep=False), for_buildkit=False
    )
    if named and not tree:
        raise UsageError(
            "input_missing", f"--inputs: nothing matches {', '.join(map(one_line, inputs))}"
        )
    return tree


def _as_git(tree: Tree) -> Tree:
    """The files and links as git would keep them, with their owner's executable bit."""
    return {
        path: Folder(b"", b"".join(starmap(_entry_as_git, tree_entries(folder.section))))
        for path, folder in tree.items()
        if folder.section
    }


def _entry_as_git(name: bytes, word: bytes) -> bytes:
    kind, mode, content = word[:1], word[1:5], word[5:]
    if kind == b"f":
        mode = b"0755" if int(mode, 8) & 0o100 else b"0644"
    return tree_entry(kind, mode, name, content)
