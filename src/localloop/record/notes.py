"""What the record keeps about a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..helm.live import LiveRelease
from ..kube.client import Kube
from ..kube.collections import Collection, fetch_collections
from ..kube.managed_fields import touched_by_hand
from ..kube.objects import Object, ObjectRef, object_version
from .model import ChartState

Notes = Mapping[str, Mapping[str, Any]]
EMPTY: Notes = {}


def note_release(
    kube: Kube, live: LiveRelease, target: ChartState, before: Notes = EMPTY
) -> ChartState:
    """``target`` completed right after Helm: its revision, its manifest, its objects.

    One LIST for each kind and namespace. An object that is gone already gets an empty note, so that
    it is still in the gate's scope. What looks as if it was done by hand by then was done by the
    chart's hooks, which is noted and no drift; if it has none, by somebody meanwhile: the note is
    empty, so that the object is compared later. ``before``: the notes of the state before.
    """
    collections = {(ref.api_version, ref.kind, ref.namespace) for ref in live.objects}
    view = fetch_collections(
        kube, [Collection(*key, metadata_only=True) for key in sorted(collections)]
    )
    notes = {}
    for ref, wanted in live.objects.items():
        found = view.get(ref)
        note = object_version(found) if found else {}
        if touched_by_hand(found):
            note = note | _by_hand(kube, ref, wanted) if live.stored.hooks else {}
        if left := before.get(str(ref), {}).get("left"):
            note["left"] = left  # was told once
        notes[str(ref)] = note
    return state_of(live, target, notes)


def _by_hand(kube: Kube, ref: ObjectRef, wanted: Object) -> dict[str, Any]:
    from ..helm.additions import additions

    fields = [each.field for each in additions(wanted, kube.read(ref) or {})]
    return {"by_hand": fields} if fields else {}


def noted_version(note: Mapping[str, Any]) -> dict[str, Any]:
    """The version that a note names, as ``object_version`` gives it."""
    return {key: value for key, value in note.items() if key not in ("by_hand", "left")}


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
