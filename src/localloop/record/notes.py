"""What the record keeps about a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..helm.live import LiveRelease
from ..kube.client import Kube
from ..kube.collections import Collection, fetch_collections
from ..kube.objects import ObjectRef, object_version
from .model import ChartState


def note_release(kube: Kube, live: LiveRelease, target: ChartState) -> ChartState:
    """``target`` completed right after Helm: its revision, its manifest, its objects.

    One LIST for each kind and namespace. An object that is gone already gets an empty note, so that
    it is still in the gate's scope.
    """
    collections = {(ref.api_version, ref.kind, ref.namespace) for ref in live.objects}
    view = fetch_collections(
        kube, [Collection(*key, metadata_only=True) for key in sorted(collections)]
    )
    notes = {
        str(ref): object_version(found) if (found := view.get(ref)) else {} for ref in live.objects
    }
    return state_of(live, target, notes)


def state_of(
    live: LiveRelease, target: ChartState, objects: Mapping[str, dict[str, Any]]
) -> ChartState:
    """``target`` completed by this revision, with these notes on its objects."""
    release = live.release
    return replace(
        target,
        revision=release.revision,
        created=release.created,
        manifest=live.stored.sha256,
        secret={"uid": release.uid, "resource_version": release.resource_version},
        objects=dict(objects),
    )


def object_refs(state: ChartState) -> list[ObjectRef]:
    """The objects of a noted release."""
    return [ObjectRef.parse(text) for text in state.objects]
