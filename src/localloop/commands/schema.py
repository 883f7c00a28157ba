"""``localloop schema``: the JSON Schema of ``localloop.yml``."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

from ..config.schema import SCHEMA
from .console import Console


@dataclass(frozen=True)
class Options:
    """The command line of ``localloop schema``, which has no arguments of its own."""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add nothing."""


def run(_options: Options, _console: Console) -> int:
    """Print the schema; 0."""
    print(json.dumps(SCHEMA, indent=2))
    return 0
