"""Which objects of a failed revision the API server refuses to update, found by dry runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..helm.differences import differences
from ..helm.live import LiveRelease
from ..kube.client import ApiError, Kube
from ..kube.objects import Object, ObjectRef

_INVALID = 422


@dataclass(frozen=True)
class Refused:
    """A live object, what its manifest wants, and the fields for which the server refuses it."""

    ref: ObjectRef
    wanted: Object
    live: Object
    fields: tuple[str, ...]


def find_refused(kube: Kube, failed: LiveRelease) -> list[Refused]:
    """The objects of a failed revision that cannot be updated to what its manifest says."""
    return list(_found(kube, failed))


def _found(kube: Kube, failed: LiveRelease) -> Iterator[Refused]:
    for ref, wanted in failed.objects.items():
        live = kube.read(ref)
        if live is None or not differences(wanted, live):
            continue
        if fields := refused_fields(kube, ref, wanted):
            yield Refused(ref, wanted, live, fields)


def refused_fields(kube: Kube, ref: ObjectRef, wanted: Object) -> tuple[str, ...]:
    """The fields for which the server refuses to update a live object to what is wanted."""
    body = {key: value for key, value in wanted.items() if key not in ("metadata", "status")}
    try:
        kube.patch(ref, body, dry_run=True)
    except ApiError as error:
        return invalid_fields(error)
    return ()


def invalid_fields(error: ApiError) -> tuple[str, ...]:
    """What the server calls invalid; nothing if that is not why it refused."""
    if error.status != _INVALID:
        return ()
    causes: Any = error.details.get("causes") or ()
    return tuple(dict.fromkeys(str(cause.get("field", "")) for cause in causes)) or ("spec",)
