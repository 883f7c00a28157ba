"""Release charts: mark each as settling, run Helm, note the result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..cluster.state import context_name
from ..config.model import Chart, Project
from ..config.placeholders import resolve_values
from ..errors import BusyError, LocalloopError
from ..events import Emit
from ..gate import run as gating
from ..gate.settle import with_images
from ..helm import command as helm
from ..helm import releases
from ..helm.live import LiveRelease, live_release, newest, revision_after
from ..helm.releases import PROJECT_LABEL, Release, is_pending
from ..helm.values import keeping, value_at
from ..kube.client import ApiUnreachable
from ..plan.model import ComponentPlan, Plan
from ..plan.preflight import helm_version
from ..record.model import ChartState, Record
from ..record.notes import note_release
from ..record.store import RecordStore, cluster_moved, refuse_moved
from ..registry.published import PublishedImage
from ..report.journal import Journal
from ..session import Session
from ..system.locks import step_lock
from ..system.redact import Redactor
from ..system.tools import Completed
from ..transaction.transaction import step_lock_path
from .failure import ReleaseFailedError, release_failed
from .immutable import Immutable, find_immutable, remove
from .namespaces import await_end

# How long a chart's hooks may take on top of the readiness timeout.
HOOK_SECONDS = 60.0


def hook_bound(project: Project) -> float:
    """How many seconds a chart's hooks may take."""
    return project.readiness.timeout + HOOK_SECONDS


def release_charts(session: Session, plan: Plan, journal: Journal, emit: Emit) -> Plan:
    """Release or roll back each chart of the plan; the plan with their revisions in it.

    The plan is journaled after each chart, before the revision is shown, so that the report of a
    run that is killed names it. Raises ``ReleaseFailedError`` if Helm fails, ``NotReadyError`` if a
    chart that another one needs does not become ready, and ``BusyError`` if the cluster changed
    since the plan was made.
    """
    releasing = [*plan.with_step("release"), *plan.with_step("rollback")]
    if not releasing:
        return plan
    started = time.monotonic()
    run = _Run(session, plan, journal, emit)
    waiting = {part.name: part for part in plan.with_step("settle") if part.kind == "chart"}
    for part in in_order(releasing, session.project.charts):
        for need in session.project.charts[part.name].needs:
            if need in waiting:
                emit(_progress(part.name, f"needs {need}"))
                gating.run_for(session, plan, waiting.pop(need), emit)
        emit(_progress(part.name, f"helm {_verb(part)}"))
        state = run.release(part)
        waiting[part.name] = replace(part, revision=state.revision, changed=True)
        plan = replace(
            plan,
            components={**plan.components, part.name: waiting[part.name]},
            serial=run.record.serial,
        )
        emit({"event": "plan", "plan": plan.as_dict()})
        emit(_progress(part.name, f"revision {state.revision}"))
    emit({"event": "span", "name": "helm_upgrade", "duration_s": time.monotonic() - started})
    return plan


def in_order(
    parts: Sequence[ComponentPlan], charts: Mapping[str, Chart]
) -> Iterator[ComponentPlan]:
    """The parts, each after those that its chart needs, directly or through others."""
    left = {part.name: part for part in parts}

    def with_needs(name: str) -> Iterator[ComponentPlan]:
        for need in charts[name].needs:
            yield from with_needs(need)
        if name in left:
            yield left.pop(name)

    for part in parts:
        yield from with_needs(part.name)


def _verb(part: ComponentPlan) -> str:
    return f"rollback to revision {part.back_to.revision}" if part.back_to.revision else "upgrade"


def _progress(component: str, text: str) -> dict[str, Any]:
    return {"event": "progress", "component": component, "step": "release", "text": text}


class _Run:
    """The releases of one plan, each noted in the record before and after."""

    def __init__(self, session: Session, plan: Plan, journal: Journal, emit: Emit) -> None:
        self._session = session
        self._emit = emit
        self._plan = plan
        self._journal = journal
        self._store = RecordStore(session.kube, session.project.name)
        self._helm = helm.Helm(session.kubeconfig, context_name(session.cluster_name))
        self._apply_flags = helm.apply_flags(helm_version(session, self._helm)[0])
        self.record = self._store.load()
        refuse_moved(self.record.serial, plan.serial)

    def release(self, part: ComponentPlan) -> ChartState:
        """Release one chart: the state that Helm made; it is settling until it passes the gate."""
        kube, chart = self._session.kube, self._session.project.charts[part.name]
        before = self._check_live(chart, part)
        part = replace(part, base_revision=before.revision if before else 0)
        # A rollback keeps the earlier revision's labels, and so its transaction.
        target = ChartState(
            transaction=part.back_to.transaction or self._journal.id,
            fingerprint=part.fingerprint,
            images=part.images,
            base_revision=part.base_revision,
        )
        self._save(with_images(self.record, self._plan).unsettle(part.name, target))
        done, left = self._call(
            chart, part, lambda: releases.stored(kube, before).values if before else {}
        )
        if done is not None and done.returncode and self._made_way(chart, part.name, target, left):
            target = self.record.charts[part.name].target
            kept = left.stored.values if left is not None and target.base_revision else {}
            part = replace(part, base_revision=min(part.base_revision, target.base_revision))
            done, left = self._call(chart, part, lambda: kept)
        if done is None or done.returncode:
            raise release_failed(
                self._session,
                chart,
                done,
                live=left,
                verb=_verb(part),
                bound=hook_bound(self._session.project),
                emit=self._emit,
            )
        state = note_release(kube, live_release(kube, chart), target)
        self._save(self.record.note(part.name, state))
        return state

    def _check_live(self, chart: Chart, part: ComponentPlan) -> Release | None:
        """The live revision; None if there is none, or if its namespace was deleted meanwhile."""
        live = newest(self._session.kube, chart)
        if live is None and not part.back_to.revision and self._namespace_ended(chart):
            return None
        _check_live(self._session, chart, part, self.record, live)
        return live

    def _namespace_ended(self, chart: Chart) -> bool:
        """Whether the chart's namespace was being deleted; if so it is gone now."""
        timeout = self._session.project.readiness.timeout
        return await_end(
            self._session.kube, chart, timeout, lambda text: self._emit(_progress(chart.name, text))
        )

    def _save(self, record: Record) -> None:
        self.record = self._store.save(record)

    def _made_way(
        self, chart: Chart, name: str, target: ChartState, left: LiveRelease | None
    ) -> bool:
        """Whether Helm can try again, because what was in its way is gone.

        That is a namespace that was being deleted, or Jobs and bare Pods, which are deleted.
        ``left`` is the revision that Helm left behind.
        """
        try:
            ended = self._namespace_ended(chart)
        except ApiUnreachable:
            return False  # Helm's own message says more
        if ended:
            self._save(self.record.note(name, replace(target, base_revision=0)))
            return True
        if left is None:
            return False
        found = find_immutable(self._session.kube, left)
        if fixed := [each for each in found if not each.expendable]:
            raise _immutable(chart, fixed)
        for each in found:
            self._emit(_progress(name, f"{each} cannot be changed: replaced"))
            remove(self._session.kube, each)
        if found:
            self._save(self.record.note(name, replace(target, base_revision=left.revision)))
        return bool(found)

    def _call(
        self, chart: Chart, part: ComponentPlan, deployed: Callable[[], Mapping[str, Any]]
    ) -> tuple[Completed | None, LiveRelease | None]:
        """How Helm ended, None if it was killed; and the revision that a failed one left behind.

        ``deployed`` reads the values of the last revision, for a chart that keeps some of them.
        """
        done: Completed | None = None
        with suppress(helm.HelmHungError):
            done = self._start(chart, part, deployed)
        if done is not None and not done.returncode:
            return done, None
        with suppress(LocalloopError):  # the API server may be what failed
            return done, revision_after(self._session.kube, chart, part.base_revision)
        return done, None

    def _start(
        self, chart: Chart, part: ComponentPlan, deployed: Callable[[], Mapping[str, Any]]
    ) -> Completed:
        project, journal = self._session.project, self._journal
        holder = {"pid": os.getpid(), "transaction": journal.id, "tool": "helm"}
        with step_lock(step_lock_path(journal.project_lock), holder) as descriptor:
            if part.back_to.revision:
                return self._helm.rollback(
                    chart.release,
                    part.back_to.revision,
                    namespace=chart.namespace,
                    apply_flags=self._apply_flags,
                    timeout=hook_bound(self._session.project),
                    pass_fds=(descriptor,),
                )
            values = self._values(chart, part.images, deployed)
            done = self._helm.upgrade(
                chart.release,
                self._chart(chart, part.images),
                namespace=chart.namespace,
                values=values,
                values_files=[project.root / path for path in chart.values_files],
                chart_flags=helm.chart_flags(chart.chart, chart.repo, chart.version)
                if chart.chart
                else (),
                labels={PROJECT_LABEL: project.name, releases.TRANSACTION_LABEL: journal.id},
                apply_flags=self._apply_flags,
                timeout=hook_bound(self._session.project),
                pass_fds=(descriptor,),
            )
        hidden = Redactor(str(value_at(values, path)) for path in chart.generate)
        return replace(done, stderr=hidden(done.stderr))

    def _chart(self, chart: Chart, images: Mapping[str, PublishedImage]) -> Path | str:
        """Where Helm finds the chart; a chart of manifests is written first."""
        if chart.manifests or chart.kustomize:
            from ..helm.raw_chart import write_chart

            return write_chart(self._session.project, chart, images)
        return chart.chart or self._session.project.root / chart.path

    def _values(
        self,
        chart: Chart,
        images: Mapping[str, PublishedImage],
        deployed: Callable[[], Mapping[str, Any]],
    ) -> dict[str, Any]:
        values = resolve_values(self._session.fingerprints.values_of(chart), images)
        if not (chart.keep_values or chart.generate):
            return values
        return keeping(values, chart, deployed())


def _immutable(chart: Chart, found: Sequence[Immutable]) -> ReleaseFailedError:
    first = found[0].ref
    where = f"-n {first.namespace} " if first.namespace else ""
    return ReleaseFailedError(
        f"field_immutable:{chart.name}",
        f"these fields cannot be changed once the object exists: {'; '.join(map(str, found))}",
        component=chart.name,
        hint="Undo the change; or, if its data may be lost, delete the object and run the"
        f" deploy again: kubectl {where}delete {first.kind.lower()} {first.name}",
    )


def _check_live(
    session: Session,
    chart: Chart,
    part: ComponentPlan,
    record: Record,
    live: Release | None,
) -> None:
    """Check that the release is still what the plan saw; free one that a dead run left pending."""
    if (live.revision if live else 0) != part.base_revision:
        raise cluster_moved(
            f"release {chart.release} is at revision {live.revision if live else 0},"
            f" the plan saw {part.base_revision}"
        )
    if live is None or not is_pending(live):
        return
    entry = record.charts.get(part.name)
    ours = live.labels.get(releases.TRANSACTION_LABEL)
    if (
        entry is None
        or live.status == "uninstalling"  # makes no revision that would tell whose it is
        or entry.state != "settling"
        or entry.target.transaction != ours  # helm by hand inherits the label, so:
        or entry.target.base_revision + 1 != live.revision
    ):
        ways = {"pending-install": "uninstall", "uninstalling": "uninstall --no-hooks"}
        way = ways.get(live.status, "rollback")
        raise BusyError(
            "release_pending",
            f"another helm has {chart.release} in status {live.status}",
            component=part.name,
            hint="Run again when it is done. If it is certainly dead:"
            f" helm -n {chart.namespace} {way} {chart.release}",
        )
    # The locks are free: that run is gone, and its helm with it.
    releases.mark_failed(session.kube, live)
