"""``localloop down``: remove this project's releases and record; on request, the cluster."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from ..cluster.user_kubeconfig import entry_in_user_config
from ..config.project import load_project
from ..events import Emit
from ..plan.cluster_verdict import require_own
from ..release.remove import has_remains, removal_plan, remove_project
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from ..transaction.transaction import Transaction
from .arguments import ProfileOptions, add_profile
from .console import Console
from .outcome import cluster_tasks_to, emit_to, print_outcome, require_success


@dataclass(frozen=True, kw_only=True)
class Options(ProfileOptions):
    """The command line of ``localloop down``."""

    cluster: bool = False
    force: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_profile(parser)
    parser.add_argument(
        "--cluster", action="store_true", help="remove the cluster and its registry too"
    )
    parser.add_argument(
        "--force", action="store_true", help="even if other projects are deployed there"
    )


def run(options: Options, console: Console) -> int:
    """Remove the project, or the whole cluster; the exit code.

    Raises LocalloopError before the transaction is open.
    """
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ)
    if options.cluster:
        require_own(session, "removed")
    left = options.cluster and has_remains(session)
    if session.cluster.verdict == "create" and not left:
        console.document({"outcome": "absent"})
        console.say(f"There is no cluster {session.cluster_name}: nothing to remove.")
        return 0
    transaction = open_run(session, "down", started=console.started)

    def act() -> None:
        if options.cluster:
            _remove_cluster(session, console, transaction, force=options.force)
        else:
            _remove_project(session, emit_to(console, transaction))

    report, error = run_to_its_end(transaction, act)
    code = print_outcome(console, report, error)
    if options.cluster and not code:
        say_what_the_user_has(console, session.context)
    return code


def say_what_the_user_has(console: Console, context: str) -> None:
    """If the user's own kubeconfig has this context, say so, and how to remove it."""
    path = entry_in_user_config(os.environ, context)
    if path is None:
        return
    console.say(f"{path} still has the context {context}. To remove it:")
    for what in ("context", "cluster", "user"):
        console.say(f"  kubectl config delete-{what} {context} --kubeconfig {path}")


def _remove_project(session: Session, emit: Emit) -> None:
    plan = removal_plan(session, with_cluster=False)
    emit({"event": "plan", "plan": plan.as_dict()})
    remove_project(session, plan, emit)


def _remove_cluster(
    session: Session, console: Console, transaction: Transaction, *, force: bool
) -> None:
    from ..ansible.runner import run_playbook

    removal_plan(session, with_cluster=True, force=force)  # refuse before waiting for the lock
    transaction.require_exclusive()
    outcome = run_playbook(
        "down.yml",
        variables={"down_cluster": True, "down_force": force},
        direct_hosts=session.direct_hosts,
        extra_environ={"LOCALLOOP_PROFILE": session.project.profile or ""},
        project_root=session.project.root,
        transaction=transaction,
        on_line=console.update,
        on_task=cluster_tasks_to(console),
    )
    require_success("down.yml", outcome, transaction)
