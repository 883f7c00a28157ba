"""What the record keeps of a release, and of the images of a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..config.model import Chart
from ..errors import LocalloopError
from ..helm import manifest, releases
from ..kube.client import ApiError
from ..kube.collections import Collection, fetch_collections
from ..kube.objects import Object, ObjectRef, object_version
from ..session import Session
from .model import ChartState


def note_release(session: Session, chart: Chart, target: ChartState) -> ChartState:
    """``target`` with what the cluster now has of it: revision, manifest, objects.

    An object that is gone already gets an empty note: it is in the gate's scope all the same.
    """
    live = live_release(session, chart)
    stored = releases.stored(session.kube, live)
    return replace(
        target,
        revision=live.revision,
        manifest=stored.sha256,
        secret={"uid": live.uid, "resource_version": live.resource_version},
        objects=_notes(session, stored.manifest, chart.namespace),
    )


def live_release(session: Session, chart: Chart) -> releases.Release:
    """The newest revision of a release that there has to be."""
    live = releases.releases(session.kube, chart.namespace, [chart.release]).get(chart.release)
    if live is None:
        raise LocalloopError(
            "release_gone", f"Helm has no release {chart.release}", component=chart.name
        )
    return live


def _notes(session: Session, text: str, namespace: str) -> dict[str, dict[str, Any]]:
    refs = manifest_objects(session, text, namespace)
    collections = {(ref.api_version, ref.kind, ref.namespace) for ref in refs}
    view = fetch_collections(
        session.kube, [Collection(*key, metadata_only=True) for key in sorted(collections)]
    )
    return {str(ref): object_version(live) if (live := view.get(ref)) else {} for ref in refs}


def manifest_objects(session: Session, text: str, namespace: str) -> dict[ObjectRef, Object]:
    """The objects of a release's manifest, by where they are in the cluster."""
    found = {}
    for obj in manifest.parse(text, namespace):
        try:
            namespaced = session.kube.namespaced(obj["apiVersion"], obj["kind"])
        except ApiError as error:
            if error.status != 404:
                raise
            namespaced = True  # the server does not know the kind (any more): so it is not there
        found[manifest.located(obj, namespaced=namespaced)] = obj
    return found


def object_refs(state: ChartState) -> list[ObjectRef]:
    """The objects of a noted release."""
    return [ObjectRef.parse(text) for text in state.objects]
