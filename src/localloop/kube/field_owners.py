"""Give fields of a live object to another manager; nothing else of the object changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .client import ApiError, Kube
from .objects import Object, ObjectRef

_NOT_FOUND, _CONFLICT = 404, 409
_TRIES = 3


def change_owners(
    kube: Kube, ref: ObjectRef, change: Callable[[Object], list[dict[str, Any]] | None]
) -> bool:
    """Replace an object's ``managedFields``; whether that was done.

    ``change`` gives those that a live object is to have, None if it is right as it is. It is asked
    again if the object changed meanwhile. Raises ``ApiError``.
    """
    for tried in range(1, _TRIES + 1):
        live = kube.read(ref)
        owners = change(live) if live is not None else None
        if live is None or owners is None:
            return False
        values = {
            "managedFields": owners,
            "resourceVersion": live["metadata"]["resourceVersion"],
        }
        patch = [
            {"op": "replace", "path": f"/metadata/{name}", "value": value}
            for name, value in values.items()
        ]
        try:
            kube.patch(ref, patch, strategy="json")
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return False
            if error.status != _CONFLICT or tried == _TRIES:
                raise
        else:
            return True
    return False
