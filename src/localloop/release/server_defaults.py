"""Fields that the API server filled in, and that a new manifest does not allow any more.

Server-side apply takes away only what its manager applied before. So the ``rollingUpdate`` of a
Deployment stays when its ``strategy`` becomes ``Recreate``, and the server refuses both together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Kube
from ..kube.field_owners import change_owners
from ..kube.managed_fields import MISSING, Path, at, child, helm_manager, owned_fields, with_applied
from ..kube.objects import Object, ObjectRef
from .refused import Refused, refused_fields


@dataclass(frozen=True)
class InTheWay:
    """An object, and the fields of the server's that its new manifest does not allow."""

    ref: ObjectRef
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.ref.kind} {self.ref.name}: {', '.join(self.fields)}"


def find_in_the_way(kube: Kube, refused: Sequence[Refused]) -> list[InTheWay]:
    """The fields that nobody set and without which the objects would be accepted."""
    return list(_found(kube, refused))


def _found(kube: Kube, refused: Sequence[Refused]) -> Iterator[InTheWay]:
    for each in refused:
        fields = tuple(field for field in each.fields if _is_default(field, each.live))
        if fields and not refused_fields(kube, each.ref, _without(each.wanted, fields)):
            yield InTheWay(each.ref, fields)


def _is_default(field: str, live: Object) -> bool:
    path = _path(field)
    owned = any(at(each.tree, path) is not None for each in owned_fields(live))
    return "[" not in field and _value(live, path) is not MISSING and not owned


def _path(field: str) -> Path:
    return tuple(f"f:{name}" for name in field.split("."))


def _value(obj: Any, path: Path) -> Any:
    for key in path:
        obj, *_ = child(obj, key)
    return obj


def _without(obj: Any, fields: tuple[str, ...]) -> Any:
    """A merge patch with the object's own fields that takes these away."""
    for field in fields:
        obj = _merged(obj, field.split("."))
    return obj


def _merged(obj: Any, names: list[str]) -> Any:
    name, *below = names
    own = obj if isinstance(obj, dict) else {}
    return {**own, name: _merged(own.get(name), below) if below else None}


def hand_to_helm(kube: Kube, found: InTheWay, manager: str) -> None:
    """Make the fields Helm's, as if it had applied them, so that its next apply takes them away.

    ``manager`` is Helm's field manager unless the object says it. Raises ``ApiError``.
    """

    def given(live: Object) -> list[dict[str, Any]] | None:
        values = {path: _value(live, path) for path in map(_path, found.fields)}
        here = {path: value for path, value in values.items() if value is not MISSING}
        return with_applied(live, here, helm_manager(live, manager)) if here else None

    change_owners(kube, found.ref, given)
