"""``localloop report``: print the report of a transaction."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from ..config.project import find_config
from ..errors import UsageError
from ..system.paths import report_dir
from .arguments import ProjectOptions, add_project
from .console import Console
from .history import reports


@dataclass(frozen=True, kw_only=True)
class Options(ProjectOptions):
    """The command line of ``localloop report``."""

    transaction: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_project(parser)
    parser.add_argument("transaction", nargs="?", metavar="TX", help="default: the newest")


def run(options: Options, console: Console) -> int:
    """Print the report; 0. Raises UsageError (``config_missing``, ``no_report``)."""
    directory = report_dir(find_config(options.project).parent, os.environ)
    for path, report in reports(directory):
        if options.transaction in (None, report["header"]["transaction_id"]):
            console.document(report)
            if not console.as_json:
                console.say(path.with_suffix(".md").read_text().rstrip("\n"))
            return 0
    raise UsageError(
        "no_report",
        f"{directory} has no report"
        + (f" of {options.transaction}" if options.transaction else ""),
        hint="`localloop history` lists them.",
    )
