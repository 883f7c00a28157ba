"""``localloop down``: remove this project's releases and record; on request the cluster too."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from dataclasses import dataclass

from ..cluster.state import context_name
from ..config.model import Chart
from ..config.project import load_project
from ..errors import InterruptedRun, LocalloopError, UsageError
from ..helm.command import Helm, HelmHungError
from ..helm.live import revision_after
from ..helm.releases import all_releases, mark_failed
from ..observe.others import left_behind, others_on
from ..plan.preflight import require_helm
from ..record.model import Record
from ..record.store import RecordStore
from ..release.charts import hook_bound
from ..release.failure import release_failed
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from ..transaction.transaction import Transaction
from .arguments import ProfileOptions, add_profile
from .console import Console
from .outcome import task_shower


@dataclass(frozen=True, kw_only=True)
class Options(ProfileOptions):
    """The command line of ``localloop down``."""

    cluster: bool = False
    force: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_profile(parser)
    parser.add_argument("--cluster", action="store_true", help="the cluster and registry too")
    parser.add_argument(
        "--force", action="store_true", help="even though other projects are deployed there"
    )


def run(options: Options, console: Console) -> int:
    """Remove the project, or the whole cluster; 0. Raises LocalloopError."""
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ)
    cluster = session.cluster
    remains = bool(cluster.container_id) or cluster.registry_verdict != "create"
    if cluster.verdict == "create" and not (options.cluster and remains):
        console.document({"outcome": "absent"})
        console.say(f"There is no cluster {session.cluster_name}: nothing to remove.")
        return 0
    if options.cluster and not options.force and cluster.verdict not in ("ok", "create"):
        raise UsageError(
            "cluster_unseen",
            f"cluster {session.cluster_name} does not run ({cluster.reason}),"
            " so nobody can tell what else is deployed there",
            hint="`localloop deploy` starts it; add --force to remove it all the same.",
        )
    others = others_on(session.kube, project.name) if cluster.verdict == "ok" else []
    if options.cluster and others and not options.force:
        raise UsageError(
            "cluster_shared",
            f"cluster {session.cluster_name} also has {', '.join(others)}",
            hint="`localloop down` removes this project alone; add --force to remove them all.",
        )
    transaction = open_run(session, "down", started=console.started)
    remove = _remove_cluster if options.cluster else _remove_project
    report, error = run_to_its_end(transaction, lambda: remove(session, console, transaction))
    if error:
        console.say(f"Report: {report}")
        raise error
    console.document({"outcome": "removed", "report": str(report)})
    console.say(f"Report: {report}")
    return 0


def _remove_project(session: Session, console: Console, transaction: Transaction) -> None:
    if session.cluster.verdict != "ok":
        raise LocalloopError(
            session.cluster.reason,
            f"cluster {session.cluster_name} does not run",
            hint="`localloop deploy` starts it; `localloop down --cluster` removes it.",
        )
    require_helm(session)
    runner = Helm(session.kubeconfig, context_name(session.cluster_name))
    store = RecordStore(session.kube, session.project.name)
    record = store.load()
    for chart in _ours(session, record, console):
        console.say(f"{chart.name}: helm uninstall {chart.place}")
        _uninstall(session, transaction, runner, chart)
    if not record.missing:
        store.delete()
    transaction.emit({"event": "removed", "charts": sorted(record.charts)})


def _ours(session: Session, record: Record, console: Console) -> list[Chart]:
    """The charts whose releases are this project's, also those that it names no more."""
    every = all_releases(session.kube)
    live = {release.place: release for release in every}
    found = []
    for chart in session.project.charts.values():
        release, deployed = live.get(chart.place), chart.name in record.charts
        if release is None:
            continue
        if release.belongs_to(session.project.name, adopt=chart.adopt and deployed):
            found.append(chart)
        elif deployed:
            console.say(
                f"{chart.name}: {chart.place} is left, it is {release.whose}"
                f" (if it may go: {release.removal})"
            )
    left = left_behind(every, session.project)
    return found + [Chart(name=one.name, release=one.name, namespace=one.namespace) for one in left]


def _uninstall(session: Session, transaction: Transaction, runner: Helm, chart: Chart) -> None:
    bound = hook_bound(session.project)
    done = None
    with suppress(HelmHungError):
        done = runner.uninstall(chart.release, namespace=chart.namespace, timeout=bound)
    if done is not None and not done.returncode:
        return
    live = None
    with suppress(LocalloopError):  # the cluster may be what failed
        live = revision_after(session.kube, chart, None)
    error = release_failed(
        session,
        chart,
        done,
        live=live,
        verb="uninstall",
        bound=bound,
        emit=transaction.emit,
        reason="uninstall_failed",
    )
    if live is not None and live.release.status == "uninstalling":
        with suppress(LocalloopError):
            mark_failed(session.kube, live.release)  # so that a deploy can upgrade it
    raise error


def _remove_cluster(session: Session, console: Console, transaction: Transaction) -> None:
    from ..ansible.runner import run_playbook

    transaction.require_exclusive()
    outcome = run_playbook(
        "teardown.yml",
        project_root=session.project.root,
        transaction=transaction,
        on_line=console.tell,
        on_task=task_shower(console),
    )
    if outcome.interrupted:
        raise InterruptedRun("interrupted", "interrupted by Ctrl-C")
    if outcome.rc:
        raise LocalloopError(
            "teardown_failed",
            f"teardown.yml failed: {'; '.join(failure.message for failure in outcome.failed)}",
        )
