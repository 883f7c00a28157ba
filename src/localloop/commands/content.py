"""``localloop content``: the directory that has ansible.cfg, the playbooks and the roles."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ..system.paths import content_dir
from .console import Console


@dataclass(frozen=True)
class Options:
    """The command line of ``localloop content``, which has no arguments of its own."""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add nothing."""


def run(_options: Options, console: Console) -> int:
    """Print the directory; 0."""
    directory = str(content_dir())
    console.document({"content": directory})
    if not console.as_json:
        print(directory)
    return 0
