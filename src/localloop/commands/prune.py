"""``localloop prune``: remove this project's old images from the registry."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from ..config.project import load_project
from ..events import Emit
from ..publish.prune import prune, prune_plan
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from ..transaction.transaction import Transaction
from .arguments import ProjectOptions, add_project
from .console import Console
from .outcome import emit_to, print_outcome


@dataclass(frozen=True, kw_only=True)
class Options(ProjectOptions):
    """The command line of ``localloop prune``."""

    keep: int = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_project(parser)
    parser.add_argument(
        "--keep",
        type=_count,
        default=Options.keep,
        metavar="N",
        help="how many of the newest images to keep of each component (default: %(default)s)",
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def run(options: Options, console: Console) -> int:
    """Remove old images; the exit code. Raises LocalloopError before the transaction is open."""
    session = Session(load_project(options.project), os.environ)
    transaction = open_run(
        session, "prune", details={"keep": options.keep}, started=console.started
    )
    emit = emit_to(console, transaction)
    report, error = run_to_its_end(
        transaction, lambda: _prune(session, transaction, options.keep, emit)
    )
    return print_outcome(console, report, error)


def _prune(session: Session, transaction: Transaction, keep: int, emit: Emit) -> None:
    transaction.require_exclusive()
    plan = prune_plan(session, keep=keep)
    emit({"event": "plan", "plan": plan.as_dict()})
    prune(session, plan, emit)
