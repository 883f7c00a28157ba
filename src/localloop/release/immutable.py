"""Objects of a release that only a deletion can change: Jobs and Pods go, others are named."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..config.model import Chart
from ..errors import LocalloopError
from ..kube.client import ApiError, Kube
from ..kube.objects import Object, ObjectRef, uid_of
from .failure import ReleaseFailedError
from .refused import Refused, invalid_fields

# Kinds that are replaced without asking, because only their run is lost.
EXPENDABLE = (("batch", "Job"), ("", "Pod"))
GONE_SECONDS = 60.0


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


def find_immutable(kube: Kube, refused: Sequence[Refused]) -> list[Immutable]:
    """The objects that only a deletion can change to what their manifest says."""
    return list(_immutable(kube, refused))


def _immutable(kube: Kube, refused: Sequence[Refused]) -> Iterator[Immutable]:
    for each in refused:
        invalid = _invalid(kube, each.ref, each.wanted)
        if fields := tuple(field for field in each.fields if field not in invalid):
            yield Immutable(each.ref, uid_of(each.live), fields)


def _invalid(kube: Kube, ref: ObjectRef, obj: Object) -> tuple[str, ...]:
    """The fields that would be refused in a new object too: to delete the old one is no help."""
    name = f"{ref.name[:40]}-new"
    metadata = {"name": name, **({"namespace": ref.namespace} if ref.namespace else {})}
    body = {key: value for key, value in obj.items() if key != "status"} | {"metadata": metadata}
    try:
        kube.patch(replace(ref, name=name), body, strategy="apply", dry_run=True)
    except ApiError as error:
        return invalid_fields(error)
    return ()


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


def immutable_error(chart: Chart, found: Sequence[Immutable]) -> ReleaseFailedError:
    """The error for objects that only a deletion can change, with the command for all of them."""
    commands = [f"kubectl delete {_deletion(each.ref)}" for each in found]
    return ReleaseFailedError(
        f"field_immutable:{chart.name}",
        f"these fields cannot be changed once the object exists: {'; '.join(map(str, found))}",
        component=chart.name,
        hint="Undo the change; or, if their data may be lost, delete the objects and run the"
        f" deploy again: {' && '.join(commands)}",
    )


def _deletion(ref: ObjectRef) -> str:
    """What ``kubectl delete`` needs to know of an object."""
    where = f"-n {ref.namespace} " if ref.namespace else ""
    kind = f"{ref.kind}.{ref.group}" if ref.group else ref.kind
    return f"{where}{kind.lower()} {ref.name}"
