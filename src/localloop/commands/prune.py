"""``localloop prune``: remove this project's old images from the registry; nothing else does."""

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
from .outcome import say_outcome, shown


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
        help="the newest ones of each component that stay (default: %(default)s)",
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def run(options: Options, console: Console) -> int:
    """Remove old images; the exit code. Raises LocalloopError before the transaction is open."""
    session = Session(load_project(options.project), os.environ)
    transaction = open_run(
        session, "prune", details={"keep": options.keep}, started=console.started
    )
    emit = shown(console, transaction)
    report, error = run_to_its_end(
        transaction, lambda: _prune(session, transaction, options.keep, emit)
    )
    return say_outcome(console, report, error)


def _prune(session: Session, transaction: Transaction, keep: int, emit: Emit) -> None:
    transaction.require_exclusive()
    plan = prune_plan(session, keep=keep)
    emit({"event": "plan", "plan": plan.as_dict()})
    prune(session, plan, emit)
