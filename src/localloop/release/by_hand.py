"""What people added by hand is handed over to Helm, whose own apply then takes it away.

A server-side apply removes only what its own manager applied before. So the additions of other
clients are first made Helm's in ``managedFields``; nothing else of the object changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import LocalloopError
from ..helm.additions import additions
from ..helm.live import read_live
from ..helm.releases import Release
from ..kube.client import Kube
from ..kube.collections import Collection, fetch_collections
from ..kube.field_owners import change_owners
from ..kube.managed_fields import Path, handed_over, helm_manager, touched_by_hand
from ..kube.objects import Object, ObjectRef


@dataclass(frozen=True)
class Added:
    """Where people added something to an object, whose manifest is ``wanted``."""

    ref: ObjectRef
    wanted: Object
    paths: tuple[Path, ...]


def added(kube: Kube, release: Release, notes: Mapping[str, Mapping[str, Any]]) -> list[Added]:
    """What people added to the objects of a release.

    ``notes``: the record's, by object; what they know as the doing of the chart's hooks is left. A
    release whose manifest cannot be read has no additions: Helm is to put another in its place.
    """
    wanted = _manifest(kube, release)
    kinds = {
        Collection(ref.api_version, ref.kind, ref.namespace, metadata_only=True) for ref in wanted
    }
    view = fetch_collections(kube, sorted(kinds))
    found = []
    for ref, obj in wanted.items():
        if touched_by_hand(view.get(ref)):
            kept = notes.get(str(ref), {}).get("by_hand") or ()
            here = additions(obj, kube.read(ref) or {})
            if paths := tuple(each.path for each in here if each.field not in kept):
                found.append(Added(ref, obj, paths))
    return found


def _manifest(kube: Kube, release: Release) -> Mapping[ObjectRef, Object]:
    try:
        return read_live(kube, release).objects
    except LocalloopError:
        return {}


def hand_over(kube: Kube, found: Added, manager: str) -> str:
    """Hand additions over to Helm, whose field manager is ``manager`` unless the object says it.

    Returns the manager that has them now; empty if none of them is there any more. Raises
    ``ApiError``.
    """
    owner = manager

    def given(live: Object) -> list[dict[str, Any]] | None:
        nonlocal owner
        here = additions(found.wanted, live)
        paths = [each.path for each in here if each.path in found.paths]
        owner = helm_manager(live, manager)
        return handed_over(live, paths, owner) if paths else None

    return owner if change_owners(kube, found.ref, given) else ""


def take_away(kube: Kube, objects: Mapping[ObjectRef, Object], found: Added, manager: str) -> None:
    """Take additions away after Helm, because it applied on the client and so left them.

    ``objects``: those of the new manifest. Raises ``ApiError``.
    """
    wanted = objects.get(found.ref)
    if wanted is None:
        return
    if owner := hand_over(kube, Added(found.ref, wanted, found.paths), manager):
        metadata = {**wanted["metadata"], "namespace": found.ref.namespace or None}
        kube.patch(
            found.ref,
            {**wanted, "metadata": metadata},
            strategy="apply",
            field_manager=owner,
            force=True,
        )
