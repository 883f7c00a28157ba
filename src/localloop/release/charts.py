"""Release charts: mark each as settling, run Helm, note the result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.model import Chart, Project
from ..config.placeholders import resolve_values
from ..errors import LocalloopError
from ..events import Emit
from ..gate import run as gating
from ..gate.settle import with_images
from ..helm import command as helm
from ..helm import releases
from ..helm.live import LiveRelease, live_release, newest, revision_after
from ..helm.releases import PROJECT_LABEL, Release
from ..helm.values import keeping, value_at
from ..kube.client import ApiUnreachable, Kube
from ..plan.model import ComponentPlan, Plan
from ..plan.preflight import helm_version
from ..publish.load import load_images
from ..record.model import ChartState, Record
from ..record.notes import Notes, note_release
from ..record.store import RecordStore, refuse_moved
from ..registry.published import PublishedImage
from ..report.journal import Journal
from ..session import Session
from ..system.locks import step_lock
from ..system.redact import Redactor
from ..system.tools import Completed
from ..transaction.transaction import step_lock_path
from . import by_hand
from .failure import release_failed
from .first_install import failed_install, may_go, remove_hooks
from .hook_pods import HookPods
from .live_check import free_pending
from .namespaces import await_end, ensure, take_over, went_along
from .obstacles import clear_refused
from .order import in_order

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
        self._helm = helm.Helm(session.kubeconfig, session.context)
        self._apply_flags = helm.apply_flags(helm_version(session, self._helm)[0])
        self.record = self._store.load()
        refuse_moved(self.record.serial, plan.serial)

    def release(self, part: ComponentPlan) -> ChartState:
        """Release one chart: the state that Helm made; it is settling until it passes the gate."""
        kube, chart = self._session.kube, self._session.project.charts[part.name]
        load_images(self._session, part.images, self._emit)
        before = self._check_live(chart, part)
        if before is not None and not part.back_to.revision and self._start_over(chart, before):
            before = None
        part = replace(part, base_revision=before.revision if before else 0)
        # A rollback keeps the earlier revision's labels, and so its transaction.
        target = ChartState(
            transaction=part.back_to.transaction or self._journal.id,
            fingerprint=part.fingerprint,
            images=part.images,
            base_revision=part.base_revision,
        )
        notes = self._notes(part.name)
        self._save(with_images(self.record, self._plan).unsettle(part.name, target))
        added = by_hand.added(kube, before, notes) if before else []
        for each in added if self._apply_flags else ():
            by_hand.hand_over(kube, each, self._helm.manager)
        with HookPods(kube, chart.namespace) as pods:
            done, left = self._call(chart, part, lambda: _values_of(kube, before))
            failed = done is not None and done.returncode
            if done and failed and self._made_way(chart, part.name, target, left, done.stderr):
                target = self.record.charts[part.name].target
                part = replace(part, base_revision=min(part.base_revision, target.base_revision))
                last = (left or before) if target.base_revision else None
                done, left = self._call(chart, part, lambda: _values_of(kube, last))
        if done is None or done.returncode:
            raise release_failed(
                self._session,
                chart,
                done,
                live=left,
                verb=_verb(part),
                bound=hook_bound(self._session.project),
                emit=self._emit,
                pods=pods,
            )
        live = live_release(kube, chart)
        for each in added if not self._apply_flags else ():
            by_hand.take_away(kube, live.objects, each, self._helm.manager)
        state = note_release(kube, live, target, notes)
        self._save(self.record.note(part.name, state))
        return state

    def _notes(self, name: str) -> Notes:
        """What the record last noted of the chart's objects."""
        entry = self.record.charts.get(name)
        states = [entry.target, entry.last_good] if entry is not None else []
        return next((state.objects for state in states if state and state.objects), {})

    def _check_live(self, chart: Chart, part: ComponentPlan) -> Release | None:
        """The live revision; None if there is none, or if its namespace was deleted meanwhile."""
        live = newest(self._session.kube, chart)
        if live is None and not part.back_to.revision and self._namespace_ended(chart):
            return None
        freed = free_pending(self._session, chart, part, self.record, live)
        return replace(live, status="failed") if live is not None and freed else live

    def _start_over(self, chart: Chart, before: Release) -> bool:
        """Whether a failed first install was uninstalled, so that Helm installs the chart anew."""
        left = failed_install(self._session.kube, chart, before)
        if left is None or not may_go(self._session.kube, chart, left):
            return False
        self._emit(
            _progress(
                chart.name,
                "its first install failed: uninstalled and installed again, so that its install"
                " hooks run",
            )
        )
        bound = hook_bound(self._session.project)
        done: Completed | None = None
        with self._helm_lock() as descriptor, suppress(helm.HelmHungError):
            done = self._helm.uninstall(
                chart.release,
                namespace=chart.namespace,
                timeout=bound,
                hooks=False,
                pass_fds=(descriptor,),
            )
        if done is not None and not done.returncode:
            remove_hooks(self._session.kube, left)
            return True
        timeout = self._session.project.readiness.timeout
        if not went_along(self._session.kube, chart, done, timeout, self._say(chart)):
            raise release_failed(
                self._session,
                chart,
                done,
                live=left,
                verb="uninstall",
                bound=bound,
                emit=self._emit,
            )
        return True

    def _helm_lock(self) -> AbstractContextManager[int]:
        """Held while Helm is at work, by Helm too."""
        holder = {"pid": os.getpid(), "transaction": self._journal.id, "tool": "helm"}
        return step_lock(step_lock_path(self._journal.project_lock), holder)

    def _namespace_ended(self, chart: Chart) -> bool:
        """Whether the chart's namespace was being deleted; if so it is gone now."""
        timeout = self._session.project.readiness.timeout
        return await_end(self._session.kube, chart, timeout, self._say(chart))

    def _say(self, chart: Chart) -> Callable[[str], None]:
        return lambda text: self._emit(_progress(chart.name, text))

    def _save(self, record: Record) -> None:
        self.record = self._store.save(record)

    def _made_way(
        self, chart: Chart, name: str, target: ChartState, left: LiveRelease | None, said: str
    ) -> bool:
        """Whether Helm can try again, because what was in its way no longer is.

        That is a namespace that was being deleted, or that the chart contains itself, defaults of
        the API server, or Jobs and bare Pods, which are deleted. ``left`` is the revision that Helm
        left behind, ``said`` its error.
        """
        try:
            if take_over(self._session.kube, chart, said):
                taken = f"namespace {chart.namespace} becomes part of the release that contains it"
                self._emit(_progress(name, taken))
                return True
            ended = self._namespace_ended(chart)
        except ApiUnreachable:
            return False  # Helm's own message says more
        if ended:
            self._save(self.record.note(name, replace(target, base_revision=0)))
            return True
        if left is None:
            return False
        kube, say = self._session.kube, self._say(chart)
        cleared = clear_refused(kube, chart, left, self._helm.manager, say)
        if cleared:
            self._save(self.record.note(name, replace(target, base_revision=left.revision)))
        return cleared

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
        with self._helm_lock() as descriptor:
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
            ensure(self._session.kube, chart.namespace, project.name)
            with self._chart(chart, part.images) as source:
                if chart.path or chart.chart:
                    self._apply_crds(chart, part, source, values)
                done = self._helm.upgrade(
                    chart.release,
                    source,
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

    @contextmanager
    def _chart(self, chart: Chart, images: Mapping[str, PublishedImage]) -> Iterator[Path | str]:
        """Where Helm finds the chart; what has to be written or built for it comes first."""
        if chart.manifests or chart.kustomize:
            from ..helm.raw_chart import write_chart

            yield write_chart(self._session.project, chart, images)
            return
        from ..helm.dependencies import chart_source

        with chart_source(self._session.project, chart) as source:
            yield source

    def _apply_crds(
        self, chart: Chart, part: ComponentPlan, source: Path | str, values: Mapping[str, Any]
    ) -> None:
        from ..helm.crds import read_crds
        from .crds import apply_crds

        kube, root = self._session.kube, self._session.project.root
        files = [root / path for path in chart.values_files]
        found = read_crds(kube, self._helm, chart, source, values=values, values_files=files)
        apply_crds(
            kube,
            chart,
            found,
            upgrade=part.base_revision > 0,
            say=self._say(chart),
        )

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


def _values_of(kube: Kube, last: Release | LiveRelease | None) -> Mapping[str, Any]:
    if isinstance(last, LiveRelease):
        return last.stored.values
    return releases.stored(kube, last).values if last else {}
