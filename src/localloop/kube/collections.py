"""Collections of objects, each fetched by one LIST."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .client import ApiError, Kube
from .objects import Object, Snapshot


@dataclass(frozen=True, order=True)
class Collection:
    """One collection to list or watch."""

    api_version: str
    kind: str
    namespace: str
    metadata_only: bool = False


def fetch_collections(kube: Kube, wanted: Iterable[Collection]) -> Snapshot:
    """One LIST a kind and namespace. A kind that the server lacks has no objects."""
    objects: list[Object] = []
    for source in wanted:
        try:
            items, _ = kube.list(
                source.api_version,
                source.kind,
                source.namespace or None,
                metadata_only=source.metadata_only,
            )
        except ApiError as error:
            if error.status == 404:
                continue
            raise
        objects.extend(items)
    return Snapshot(tuple(objects), kube.server_date or 0.0)
