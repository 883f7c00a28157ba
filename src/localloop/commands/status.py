"""``localloop status``: what the cluster runs, according to its record and to the cluster."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from ..config.project import load_project
from ..report.status import cluster_lines, left_behind_lines, table, what_runs
from ..session import Session
from .arguments import ProfileOptions, add_profile
from .console import Console


@dataclass(frozen=True, kw_only=True)
class Options(ProfileOptions):
    """The command line of ``localloop status``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_profile(parser)


def run(options: Options, console: Console) -> int:
    """Print what the cluster runs; 0. Raises LocalloopError."""
    project = load_project(options.project, profile=options.profile)
    status = what_runs(Session(project, os.environ, writes=False))
    console.document(status)
    for line in cluster_lines(status):
        console.say(line)
    if rows := table(status):
        console.table(rows)
    for line in left_behind_lines(status):
        console.say(line)
    return 0
