"""``localloop rollback``: roll the charts back to what an earlier transaction deployed."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from ..config.project import load_project
from ..release.rollback import go_back, plan_back
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from .arguments import ProfileOptions, add_profile
from .console import Console
from .outcome import emit_to, print_outcome
from .plan import show_plan


@dataclass(frozen=True, kw_only=True)
class Options(ProfileOptions):
    """The command line of ``localloop rollback``."""

    transaction: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_profile(parser)
    parser.add_argument(
        "transaction", nargs="?", metavar="TX", help="default: the one before the last"
    )


def run(options: Options, console: Console) -> int:
    """Roll back; the exit code. Raises LocalloopError before the transaction is open."""
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ)
    transaction = open_run(session, "rollback", started=console.started)
    emit = emit_to(console, transaction)

    def act() -> None:
        plan = plan_back(session, options.transaction)
        emit({"event": "plan", "plan": plan.as_dict()})
        show_plan(console, plan)
        go_back(session, plan, transaction, emit)

    report, error = run_to_its_end(transaction, act)
    return print_outcome(console, report, error)
