"""Reading fields of objects that may hold any JSON: what is not of the expected type is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LIMIT = 1 << 63


def as_map(value: Any) -> Mapping[str, Any]:
    """The mapping, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_maps(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a list; none if it is not a list."""
    if not isinstance(value, list):
        return []
    return [entry for entry in value if isinstance(entry, Mapping)]


def as_int(value: Any, default: int = 0) -> int:
    """A whole number (64 bits), also one written as text (some controllers do); or the default."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = int(value)
            return number if -_LIMIT <= number < _LIMIT else default
        except (ValueError, OverflowError):
            pass
    return default


def map_at(obj: Any, *path: str) -> Mapping[str, Any]:
    """The mapping at a path of keys, or an empty one."""
    for key in path:
        obj = as_map(obj).get(key)
    return as_map(obj)


def maps_at(obj: Any, *path: str) -> list[Mapping[str, Any]]:
    """The mappings in the list at a path of keys."""
    return as_maps(map_at(obj, *path[:-1]).get(path[-1]))


def labels_of(obj: Any) -> Mapping[str, str]:
    """An object's labels; those that are not text are left out."""
    return _texts(map_at(obj, "metadata", "labels"))


def annotations_of(obj: Any) -> Mapping[str, str]:
    """An object's annotations; those that are not text are left out."""
    return _texts(map_at(obj, "metadata", "annotations"))


def _texts(values: Mapping[str, Any]) -> Mapping[str, str]:
    return {key: value for key, value in values.items() if isinstance(value, str)}
