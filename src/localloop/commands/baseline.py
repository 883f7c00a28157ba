"""``localloop baseline``: how long each part of the loop takes, with cold and warm caches."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from typing import Any

from ..baseline.measure import plan_baseline, run_baseline
from ..baseline.table import rows
from ..config.project import load_project
from ..events import progress_line
from ..session import Session
from ..system.paths import perf_dir
from .arguments import ProfileOptions, add_profile
from .console import Console


@dataclass(frozen=True, kw_only=True)
class Options(ProfileOptions):
    """The command line of ``localloop baseline``."""

    mode: str = "both"
    with_deploy: bool = False
    output_dir: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_profile(parser)
    parser.add_argument(
        "--mode", choices=["cold", "warm", "both"], default="both", help="default: both"
    )
    parser.add_argument("--with-deploy", action="store_true", help="measure a deploy too")
    parser.add_argument("--output-dir", metavar="DIR", help="default: .cache/perf in the project")


def run(options: Options, console: Console) -> int:
    """Measure, and print the table; the exit code. Raises LocalloopError."""
    project = load_project(options.project, profile=options.profile)
    planned = plan_baseline(
        Session(project, os.environ),
        mode=options.mode,
        with_deploy=options.with_deploy,
        directory=perf_dir(project.root, os.environ, options.output_dir),
    )

    def show(event: dict[str, Any]) -> None:
        console.update(progress_line(event))

    if console.progress:
        os.environ["LOCALLOOP_LIVE"] = "1"
    baseline = run_baseline(planned, show)
    console.document(baseline.as_dict())
    console.table(rows(baseline.measured))
    console.say(f"CSV: {baseline.csv}")
    console.say(f"Report: {baseline.markdown}")
    error = baseline.error()
    if error is None:
        return 0
    print(f"{console.paint('error', '31')}: {error}", file=sys.stderr)
    return error.exit_code
