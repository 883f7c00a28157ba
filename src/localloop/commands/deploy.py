"""``localloop deploy``: make the plan, and start Ansible only if there is something to do."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..config.model import Project
from ..config.project import load_project
from ..gate.settle import remember_inputs
from ..observe.facts import Facts, Request
from ..plan.cluster_verdict import BootstrapChoice, cluster_verdict, require_possible
from ..plan.make import make_plan
from ..plan.model import Plan
from ..plan.preflight import (
    remember_first_use,
    require_charts,
    require_files,
    require_tools,
)
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from ..transaction.transaction import Transaction
from .arguments import TargetOptions, add_targets, requested
from .console import Console
from .outcome import cluster_tasks_to, print_outcome, require_success
from .plan import show_plan


@dataclass(frozen=True, kw_only=True)
class Options(TargetOptions):
    """The command line of ``localloop deploy``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_targets(parser)


def run(options: Options, console: Console) -> int:
    """Deploy what changed, or what was asked for; the exit code. Raises LocalloopError."""
    session = Session(load_project(options.project, profile=options.profile), os.environ)
    wanted = requested(options, session.project, session.environ)
    return run_loop(session, console, "deploy", wanted, BootstrapChoice())


def run_loop(
    session: Session, console: Console, command: str, wanted: Request, choice: BootstrapChoice
) -> int:
    """One transaction from the plan to its report; the exit code. Raises LocalloopError."""
    transaction = open_run(
        session,
        command,
        mode=wanted.mode,
        targets=wanted.targets,
        details={"bootstrap": choice.answer},
        started=console.started,
    )
    choice = replace(choice, transaction=transaction.id)
    report, error = run_to_its_end(
        transaction, lambda: _deploy(session, console, transaction, wanted, choice)
    )
    return print_outcome(console, report, error)


def _deploy(
    session: Session,
    console: Console,
    transaction: Transaction,
    wanted: Request,
    choice: BootstrapChoice,
) -> None:
    plan, facts = make_plan(session, wanted, emit=transaction.emit, choice=choice)
    show_plan(console, plan)
    require_possible(plan.cluster, session.cluster_name)
    if plan.changes_nothing and facts is not None:
        _note_unchanged(session, plan, facts, transaction)
        return
    require_files(session, plan)
    require_tools(session, plan)
    require_charts(session, plan)
    remember_first_use(session, plan)
    if plan.cluster["verdict"] != "ok":
        transaction.require_exclusive()
    if plan.cluster["verdict"] == "bootstrap":
        # Another run may have deployed before the lock was taken.
        require_possible(cluster_verdict(session, choice), session.cluster_name)
    _run_playbook(session, console, transaction, plan, choice)


def _note_unchanged(session: Session, plan: Plan, facts: Facts, transaction: Transaction) -> None:
    remember_inputs(session)
    seen = [result.as_dict() for result in facts.seen]
    transaction.emit(
        {
            "event": "gate",
            "status": "ready",
            "reason": "",
            "objects": [entry for result in seen for entry in result["objects"]],
            "warnings": [text for result in seen for text in result["warnings"]],
            "not_gated": [text for result in seen for text in result["not_gated"]],
        }
    )
    new_versions = {
        name: chart.new_versions for name, chart in facts.charts.items() if chart.new_versions
    }
    if new_versions:
        from ..gate.settle import save_object_versions

        save_object_versions(session, new_versions)
    if plan.cluster.get("inputs") or plan.cluster.get("lacks"):
        from ..record.cluster_inputs import accept

        accept(session, plan.cluster, transaction.id, transaction.emit)


# Build arguments must not bring in variables that change the run itself.
_RESERVED = ("ANSIBLE_", "PYTHON", "LD_", "LOCALLOOP_")


def declared_environ(project: Project, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that build arguments and secrets name (``{env: NAME}``), if they are set."""
    builds = project.builds.values()
    named = {source.env for image in builds for source in image.unhashed_args.values()}
    named |= {source.env for image in builds for source in image.secrets.values()}
    names = sorted(name for name in named if name and not name.startswith(_RESERVED))
    return {name: environ[name] for name in names if name in environ}


def _run_playbook(
    session: Session,
    console: Console,
    transaction: Transaction,
    plan: Plan,
    choice: BootstrapChoice,
) -> None:
    from ..ansible.runner import run_playbook

    started = time.monotonic()
    runs = plan.cluster["verdict"] == "ok"
    playbook = "deploy-fast.yml" if runs else "bootstrap.yml"
    outcome = run_playbook(
        playbook,
        project_root=Path(plan.root),
        transaction=transaction,
        direct_hosts=session.direct_hosts,
        extra_environ={
            **declared_environ(session.project, os.environ),
            "LOCALLOOP_PROFILE": plan.profile,
            "LOCALLOOP_TARGETS": ",".join(plan.targets),
            "LOCALLOOP_MODE": plan.mode,
            "LOCALLOOP_BOOTSTRAP": choice.answer,
            "LOCALLOOP_FORCE": "1" if choice.force else "",
            "LOCALLOOP_LIVE": "1" if console.progress else "",
        },
        plan=plan.as_dict() if plan.cluster["verdict"] in ("ok", "bootstrap") else None,
        on_line=console.update,
        on_task=None if runs else cluster_tasks_to(console),
        color=console.color,
    )
    transaction.emit(
        {"event": "span", "name": "playbook", "duration_s": time.monotonic() - started}
    )
    require_success(playbook, outcome, transaction)
