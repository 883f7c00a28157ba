"""``charts`` of ``localloop.yml``: where each comes from, its values, and what they refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .loader import Node
from .model import Chart
from .needs import check_needs
from .placeholders import ATTRIBUTES, placeholders
from .reader import Reader
from .validate import near
from .value_commands import COMMAND, TIMEOUT, is_command

SOURCES = ("path", "chart", "manifests", "kustomize")
# Keys that only some sources have.
_ONLY = {
    "version": ("chart",),
    "repo": ("chart",),
    "images": ("manifests", "kustomize"),
    "values": ("path", "chart"),
    "values_files": ("path", "chart"),
    "keep_values": ("path", "chart"),
    "generate": ("path", "chart"),
}


def read_charts(reader: Reader, profile: str | None) -> dict[str, Chart]:
    """All charts; values of the profile override their own.

    Raises UsageError for what the schema cannot refuse: unknown images, charts and attributes, keys
    that the source does not have, releases named twice, and circular needs.
    """
    for name in reader.items("profiles"):
        _check_profile(reader, name)
    over = reader.node.get("profiles", profile, "values") if profile else None
    charts = {
        name: _chart(reader, name, node, over.get(name) if over else None)
        for name, node in reader.items("charts").items()
    }
    _check_releases(reader, charts)
    check_needs(reader, "charts", charts, charts, "a chart")
    return charts


def _check_profile(reader: Reader, profile: str) -> None:
    charts = list(reader.items("charts"))
    parent = reader.node.get("profiles", profile, "values")
    if parent is None:
        return
    for name, values in parent.value.items():
        if name not in charts:
            raise reader.fail_key(parent, name, f"{name!r} is not a chart", near(name, charts))
        _check_values(reader, values)


def _chart(reader: Reader, name: str, node: Node, over: Node | None) -> Chart:
    items: dict[str, Node] = node.value
    source = _source(reader, name, node)
    for key, sources in _ONLY.items():
        if key in items and source not in sources:
            raise reader.fail_key(node, key, f"{key} cannot be combined with {source}")
    values = items.get("values")
    if values is not None:
        _check_values(reader, values)
    if "release" not in items and len(name) > 53:
        raise reader.fail(node, "the name is too long for a Helm release", "set `release:`")
    fields: dict[str, Any] = {
        key: items[key].value
        for key in ("chart", "repo", "version", "release", "adopt")
        if key in items
    }
    fields.setdefault("release", name)
    for key in ("path", "kustomize"):
        if key in items:
            fields[key] = reader.relative(items[key])
    own, other = reader.plain(values), reader.plain(over)
    return Chart(
        name=name,
        namespace=items["namespace"].value,
        values=merged(own, other),
        values_files=reader.paths(items.get("values_files")),
        manifests=reader.paths(items.get("manifests")),
        images=_images(reader, items) if source in ("manifests", "kustomize") else (),
        needs=_texts(items.get("needs")),
        keep_values=_texts(items.get("keep_values")),
        generate=_texts(items.get("generate")),
        **fields,
    )


def _source(reader: Reader, name: str, node: Node) -> str:
    found = next(key for key in SOURCES if key in node.value)
    if found == "chart":
        chart: Node = node.value["chart"]
        remote, repo = chart.value.startswith("oci://"), "repo" in node.value
        if remote == repo:
            raise reader.fail(chart, "a chart is either oci://… or a name in `repo:`")
        if "version" not in node.value:
            raise reader.fail(
                chart, f"{name} needs a version", "an unpinned chart could change at any time"
            )
    return found


def _images(reader: Reader, items: Mapping[str, Node]) -> tuple[str, ...]:
    known = list(reader.items("images"))
    if "images" not in items:
        return tuple(known)
    for item in items["images"].value:
        if item.value not in known:
            raise reader.fail(item, f"no image is named {item.value!r}", near(item.value, known))
    return _texts(items["images"])


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(item.value for item in node.value) if node is not None else ()


def merged(own: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` overridden by ``over``, as by Helm: maps are merged, anything else is replaced."""
    result = dict(own)
    for key, value in over.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def _check_values(reader: Reader, node: Node) -> None:
    if is_command(node.value):
        _check_command(reader, node)
    elif isinstance(node.value, dict):
        for item in node.value.values():
            _check_values(reader, item)
    elif isinstance(node.value, list):
        for item in node.value:
            _check_values(reader, item)
    elif isinstance(node.value, str):
        images = list(reader.items("images"))
        literal = "for a literal dollar sign write $$"
        for image, attribute in placeholders(node.value):
            if image not in images:
                message = f"${image}.{attribute}: no image is named {image!r}"
                hint = near(image, images)
                raise reader.fail(node, message, f"{hint}; {literal}" if hint else literal)
            if attribute not in ATTRIBUTES:
                message = f"${image}.{attribute}: an image has no {attribute!r}"
                raise reader.fail(node, message, f"{near(attribute, list(ATTRIBUTES))}; {literal}")


def _check_command(reader: Reader, node: Node) -> None:
    words = node.value[COMMAND]
    known = isinstance(words.value, list) and words.value
    if not known or not all(isinstance(word.value, str) and word.value for word in words.value):
        raise reader.fail(words, f"{COMMAND} is a list: a program and its arguments")
    for key in node.value:
        if key == TIMEOUT:
            seconds = node.value[key].value
            if type(seconds) not in (int, float) or not 0 < seconds <= 86400:
                raise reader.fail(node.value[key], f"{TIMEOUT} is a number of seconds")
        elif key != COMMAND:
            raise reader.fail_key(node, key, f"{key!r} cannot stand beside {COMMAND}")


def _check_releases(reader: Reader, charts: Mapping[str, Chart]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, chart in charts.items():
        key = (chart.namespace, chart.release)
        if key in seen:
            message = f"{name} and {seen[key]} are the same release {chart.release}"
            raise reader.fail_key(reader.node.get("charts") or reader.node, name, message)
        seen[key] = name
