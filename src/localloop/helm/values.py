"""Values that a release keeps: those that it already has, and secrets generated once."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

from ..config.model import Chart

SECRET_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits


def keeping(values: Mapping[str, Any], chart: Chart, deployed: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the next release, with what it keeps of the ``deployed`` ones."""
    result = dict(values)
    for path in chart.keep_values:
        found = value_at(deployed, path)
        if found is not None:
            result = with_value(result, path, found)
    for path in chart.generate:
        result = with_value(result, path, value_at(deployed, path) or new_secret())
    return result


def new_secret() -> str:
    """32 random letters and digits, about 190 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None if there is none."""
    found: Any = values
    for key in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def with_value(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted path; missing maps are created."""
    key, _, rest = path.partition(".")
    inner = values.get(key)
    below = inner if isinstance(inner, Mapping) else {}
    return {**values, key: with_value(below, rest, value) if rest else value}
