"""CustomResourceDefinitions of the charts to release that the cluster would not take."""

from __future__ import annotations

from ..config.model import Chart
from ..config.placeholders import resolve_values
from ..errors import LocalloopError, UsageError
from ..helm import crds
from ..helm.command import Helm
from ..helm.dependencies import chart_source
from ..kube.client import ApiError
from ..kube.objects import Object
from ..session import Session
from .model import ComponentPlan, Plan
from .rendered_images import images_of


def refuse_crds(session: Session, plan: Plan) -> None:
    """Raise ``UsageError`` for an edit under ``crds/`` that cannot be applied; changes nothing.

    ``crd_version_stored``: it drops a version in which objects may be stored. ``crd_refused``: the
    API server says no. What cannot be known before images are built is left to the release.
    """
    for part in plan.with_step("release"):
        chart = session.project.charts[part.name]
        if chart.path or chart.chart:
            for written in _written(session, part, chart):
                _try(session, chart, written, upgrade=part.base_revision > 0)


def _written(session: Session, part: ComponentPlan, chart: Chart) -> list[Object]:
    project = session.project
    try:
        with chart_source(project, chart, fetches=False) as source:
            return crds.read_crds(
                session.kube,
                Helm(session.kubeconfig, session.context),
                chart,
                source,
                values=resolve_values(
                    session.fingerprints.values_of(chart), images_of(session, part)
                ),
                values_files=[project.root / path for path in chart.values_files],
            )
    except LocalloopError:
        return []  # the release says so


def _try(session: Session, chart: Chart, written: Object, *, upgrade: bool) -> None:
    kube = session.kube
    name = f"{written['kind']} {written['metadata']['name']}"
    try:
        ref, wanted = crds.to_apply(kube, chart, written)
        live = kube.read(ref)
        if (live is None and not upgrade) or (live and crds.other_release(live, chart)):
            return
        crds.refuse_dropped(chart, live or {}, wanted)
        kube.patch(
            ref,
            wanted,
            strategy="apply",
            field_manager=crds.FIELD_MANAGER,
            force=True,
            dry_run=True,
        )
    except ApiError as error:
        if error.status not in (400, 422):
            return  # a kind that is not there yet, rights, a server that is busy
        raise UsageError(
            f"crd_refused:{chart.name}",
            f"the API server refuses {name}: {error.message}",
            component=chart.name,
            hint="Correct the file under crds/, then run the command again.",
        ) from error
