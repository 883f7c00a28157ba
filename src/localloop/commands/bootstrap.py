"""``localloop bootstrap``: create, recreate or reuse the cluster, and deploy to it."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass

from ..config.project import load_project
from ..errors import UsageError
from ..plan.cluster_verdict import BootstrapChoice, require_answer
from ..session import Session
from .arguments import ProfileOptions, TargetOptions, add_profile, requested
from .console import Console
from .deploy import run_loop


@dataclass(frozen=True, kw_only=True)
class Options(ProfileOptions):
    """The command line of ``localloop bootstrap``."""

    recreate: bool = False
    reuse_ok: bool = False
    force: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_profile(parser)
    over = parser.add_mutually_exclusive_group()
    over.add_argument(
        "--recreate",
        action="store_true",
        help="recreate an existing cluster; everything in it is lost",
    )
    over.add_argument(
        "--reuse-ok",
        action="store_true",
        help="keep an existing cluster and accept its inputs as they are now",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="recreate even if other projects are deployed there, or might be",
    )


def run(options: Options, console: Console) -> int:
    """Create, recreate or reuse the cluster, and deploy to it; the exit code.

    Raises LocalloopError.
    """
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ)
    choice = BootstrapChoice(_answer(session, options, console), force=options.force)
    require_answer(session, choice)
    wanted = requested(TargetOptions(), project, os.environ)
    return run_loop(session, console, "bootstrap", wanted, choice)


def _answer(session: Session, options: Options, console: Console) -> str:
    """What to do with an existing cluster: by the options, else by asking on a terminal."""
    if options.recreate:
        return "recreate"
    if options.reuse_ok:
        return "reuse"
    if session.cluster.verdict == "create" or not sys.stdin.isatty():
        return "auto"
    return _ask(console, session.cluster_name)


def _ask(console: Console, name: str) -> str:
    console.say(
        f"Cluster {name} already exists.\n"
        "  reuse     keep it and deploy to it\n"
        "  recreate  delete it and create a new one; everything in it is lost\n"
        "Which one? Anything else cancels."
    )
    given = sys.stdin.readline().strip().lower()
    if given not in ("reuse", "recreate"):
        raise UsageError(
            "not_answered",
            f"cluster {name} was not changed",
            hint="Answer reuse or recreate, or use --reuse-ok or --recreate.",
        )
    return given
