"""``localloop bootstrap``: make the cluster run, anew or as it is, and deploy to it."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass

from ..config.project import load_project
from ..errors import UsageError
from ..plan.cluster_verdict import Wish, require_answer
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
        help="make an existing cluster anew; all that is in it is lost",
    )
    over.add_argument(
        "--reuse-ok",
        action="store_true",
        help="keep an existing cluster, and accept its inputs as they are now",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="recreate even though others are deployed there, or nobody can tell",
    )


def run(options: Options, console: Console) -> int:
    """Create, recreate or keep the cluster, and deploy to it; the exit code.

    Raises LocalloopError.
    """
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ)
    wish = Wish(_answer(session, options, console), force=options.force)
    require_answer(session, wish)
    wanted = requested(TargetOptions(), project, os.environ)
    return run_loop(session, console, "bootstrap", wanted, wish)


def _answer(session: Session, options: Options, console: Console) -> str:
    """What is to become of a cluster that exists: by the flags, else asked where that can be."""
    if options.recreate:
        return "recreate"
    if options.reuse_ok:
        return "reuse"
    if session.cluster.verdict == "create" or not sys.stdin.isatty():
        return "auto"
    return _ask(console, session.cluster_name)


def _ask(console: Console, name: str) -> str:
    console.say(
        f"Cluster {name} exists.\n"
        "  reuse     keep it and deploy to it\n"
        "  recreate  make it anew; all that is in it is lost\n"
        "Which? Anything else stops here."
    )
    given = sys.stdin.readline().strip().lower()
    if given not in ("reuse", "recreate"):
        raise UsageError(
            "not_answered",
            f"cluster {name} is left as it is",
            hint="Answer reuse or recreate, or give --reuse-ok or --recreate.",
        )
    return given
