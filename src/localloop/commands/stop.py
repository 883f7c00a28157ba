"""``localloop stop``: stop the cluster and its registry, and keep everything."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from ..cluster.lifecycle import stop
from ..config.project import load_project
from ..events import Emit
from ..plan.cluster_verdict import require_own
from ..plan.other_runs import other_plan
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from ..transaction.transaction import Transaction
from .arguments import ProjectOptions, add_project
from .console import Console
from .outcome import emit_to, print_outcome


@dataclass(frozen=True, kw_only=True)
class Options(ProjectOptions):
    """The command line of ``localloop stop``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_project(parser)


def run(options: Options, console: Console) -> int:
    """Stop the cluster; the exit code. Raises LocalloopError before the transaction is open."""
    session = Session(load_project(options.project), os.environ)
    require_own(session, "stopped")
    transaction = open_run(session, "stop", started=console.started)
    emit = emit_to(console, transaction)
    report, error = run_to_its_end(transaction, lambda: _stop(session, transaction, emit))
    return print_outcome(console, report, error)


def _stop(session: Session, transaction: Transaction, emit: Emit) -> None:
    transaction.require_exclusive()
    cluster = session.cluster
    emit(
        {
            "event": "plan",
            "plan": other_plan(
                session, "stop", (), cluster={"verdict": cluster.verdict, "reason": cluster.reason}
            ).as_dict(),
        }
    )
    if stop(session.docker, session.cluster_name):
        emit({"event": "stopped", "cluster": session.cluster_name})
