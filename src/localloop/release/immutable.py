"""Which fields of a release's objects the API server refuses to change, found by dry runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import LocalloopError
from ..helm.differences import differences
from ..helm.live import LiveRelease
from ..kube.client import ApiError, Kube
from ..kube.objects import Object, ObjectRef, uid_of

# Kinds that are replaced without asking, because only their run is lost.
EXPENDABLE = (("batch", "Job"), ("", "Pod"))
GONE_SECONDS = 60.0
_INVALID = 422


@dataclass(frozen=True)
class Immutable:
    """An object, and the paths of its fields that the server refuses to change."""

    ref: ObjectRef
    uid: str
    fields: tuple[str, ...]

    @property
    def expendable(self) -> bool:
        """Whether it is a Job or a bare Pod."""
        return (self.ref.group, self.ref.kind) in EXPENDABLE

    def __str__(self) -> str:
        return f"{self.ref.kind} {self.ref.name}: {', '.join(self.fields)}"


def find_immutable(kube: Kube, failed: LiveRelease) -> list[Immutable]:
    """The objects of a failed revision that cannot be updated to what its manifest says."""
    return list(_refused(kube, failed.objects))


def _refused(kube: Kube, wanted: Mapping[ObjectRef, Object]) -> Iterator[Immutable]:
    for ref, obj in wanted.items():
        live = kube.read(ref)
        if live is None or not differences(obj, live):
            continue
        body = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
        try:
            kube.patch(ref, body, dry_run=True)
        except ApiError as error:
            if error.status == _INVALID:
                yield Immutable(ref, uid_of(live), _fields(error))


def _fields(error: ApiError) -> tuple[str, ...]:
    causes: Any = error.details.get("causes") or ()
    return tuple(dict.fromkeys(str(cause.get("field", "")) for cause in causes)) or ("spec",)


def remove(kube: Kube, found: Immutable) -> None:
    """Delete an object and wait until it is gone; raises ``not_deleted`` after a minute."""
    kube.delete(found.ref, uid=found.uid)
    deadline = time.monotonic() + GONE_SECONDS
    while (live := kube.read(found.ref)) is not None and uid_of(live) == found.uid:
        if time.monotonic() >= deadline:
            raise LocalloopError(
                "not_deleted",
                f"{found.ref.kind} {found.ref.name} is still there {GONE_SECONDS:g} s after its"
                " deletion",
                hint="See its finalizers: kubectl get -o yaml.",
            )
        time.sleep(0.1)
