"""Collections of objects: one kind in one namespace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .client import ApiError, Kube
from .objects import Object, Snapshot


@dataclass(frozen=True, order=True)
class Collection:
    """One collection to list or watch; ``namespace`` is empty for all namespaces."""

    api_version: str
    kind: str
    namespace: str
    metadata_only: bool = False


def fetch_collections(kube: Kube, collections: Iterable[Collection]) -> Snapshot:
    """Read collections with one LIST each; a kind that the server lacks has no objects."""
    objects: list[Object] = []
    for collection in collections:
        try:
            items, _ = kube.list(
                collection.api_version,
                collection.kind,
                collection.namespace or None,
                metadata_only=collection.metadata_only,
            )
        except ApiError as error:
            if error.status == 404:
                continue
            raise
        objects.extend(items)
    return Snapshot(tuple(objects), kube.server_date or 0.0)
