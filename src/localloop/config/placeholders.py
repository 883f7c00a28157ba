"""``$image.attribute`` in chart values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import UsageError
from ..registry.published import PublishedImage
from .model import Chart
from .value_commands import is_command

ATTRIBUTES = ("repository", "tag", "semver", "ref", "registry", "digest", "name")
_PLACEHOLDER = re.compile(r"\$\$|\$([a-z0-9][-a-z0-9]*)\.([a-z]+)")


def placeholders(text: str) -> Iterator[tuple[str, str]]:
    """(image, attribute) of each placeholder in a string."""
    for match in _PLACEHOLDER.finditer(text):
        if match[1] is not None:
            yield match[1], match[2]


def consumed_images(chart: Chart) -> set[str]:
    """The images that a chart's values refer to or that its manifests may name."""
    found: set[str] = set(chart.images)

    def visit(value: Any) -> None:
        if is_command(value):
            return
        if isinstance(value, str):
            found.update(image for image, _ in placeholders(value))
        elif isinstance(value, Mapping):
            for item in value.values():
                visit(item)
        elif isinstance(value, list | tuple):
            for item in value:
                visit(item)

    visit(chart.values)
    return found


def resolve_values(
    values: Mapping[str, Any], images: Mapping[str, PublishedImage]
) -> dict[str, Any]:
    """The values with every placeholder replaced and ``$$`` turned into ``$``."""

    def substitute(match: re.Match[str]) -> str:
        name, attribute = match[1], match[2]
        if name is None:
            return "$"
        if name not in images or attribute not in ATTRIBUTES:
            raise UsageError("config_invalid", f"{match[0]}: no such image or attribute")
        return str(getattr(images[name], attribute))

    def visit(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACEHOLDER.sub(substitute, value)
        if isinstance(value, Mapping):
            return {key: visit(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [visit(item) for item in value]
        return value

    return {key: visit(value) for key, value in values.items()}
