"""``localloop rollback``: take the charts back to what an earlier transaction deployed."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from ..config.project import load_project
from ..errors import LocalloopError
from ..events import progress_line
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from .arguments import ProfileOptions, add_profile
from .console import Console
from .outcome import say_outcome
from .plan import show_plan


@dataclass(frozen=True, kw_only=True)
class Options(ProfileOptions):
    """The command line of ``localloop rollback``."""

    transaction: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_profile(parser)
    parser.add_argument("transaction", nargs="?", metavar="TX", help="default: the one before now")


def run(options: Options, console: Console) -> int:
    """Go back; the exit code. Raises LocalloopError."""
    from ..release.rollback import go_back

    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ)
    transaction = open_run(session, "rollback", started=console.started)

    def tell(event: dict[str, object]) -> None:
        transaction.emit(event)
        if event["event"] == "progress":
            console.tell(progress_line(event))

    def act() -> None:
        if session.cluster.verdict != "ok":
            raise LocalloopError(
                session.cluster.reason,
                f"cluster {session.cluster_name} does not run",
                hint="`localloop deploy` starts it.",
            )
        session.identify()
        go_back(
            session,
            options.transaction,
            transaction,
            tell,
            lambda plan: show_plan(console, plan),
        )

    report, error = run_to_its_end(transaction, act)
    return say_outcome(console, report, error)
