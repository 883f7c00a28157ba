"""How a live object differs from its manifest, with the freedom that the API server has.

It may add fields, drop empty ones and write quantities otherwise. What else it makes of a manifest
only it can say: see ``observe.drift``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from ..kube.fields import as_map
from ..kube.kinds import is_builtin
from ..kube.objects import Object, group_of
from ..kube.quantity import quantity


def differences(wanted: Object, live: Object) -> list[str]:
    """The paths of fields that the manifest sets and whose live values differ."""
    literal = not is_builtin(group_of(str(wanted.get("apiVersion") or "")))
    body = {key: value for key, value in wanted.items() if key not in ("metadata", "status")}
    body = as_stored(body)
    metadata = as_map(wanted.get("metadata"))
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    return [
        *_differ(body, live, "", literal=literal),
        *_differ(kept, as_map(live.get("metadata")), "", literal=literal),
    ]


def as_stored(obj: Object) -> Object:
    """The object; a Secret as the API server keeps it, with its texts in ``data``."""
    if obj.get("kind") != "Secret" or group_of(str(obj.get("apiVersion") or "")):
        return obj
    texts = as_map(obj.get("stringData"))
    data = {key: _base64("" if value is None else str(value)) for key, value in texts.items()}
    kept = {key: value for key, value in obj.items() if key != "stringData"}
    return {**kept, "data": {**as_map(obj.get("data")), **data}} if data else kept


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


def _differ(wanted: Any, live: Any, path: str, *, literal: bool) -> Iterator[str]:
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            if _means_something(wanted):
                yield path
            return
        for key, value in wanted.items():
            below = f"{path}.{key}" if path else key
            yield from _differ(value, live.get(key), below, literal=literal)
    elif isinstance(wanted, list):
        yield from _lists_differ(wanted, live or [], path, literal=literal)
    elif not _equal(wanted, live, literal=literal or _TEXT.search(path) is not None):
        yield path


def _lists_differ(wanted: list[Any], live: Any, path: str, *, literal: bool) -> Iterator[str]:
    if not isinstance(live, list):
        yield path
        return
    names = [entry.get("name") for entry in wanted if isinstance(entry, dict)]
    texts = {name for name in names if isinstance(name, str)}
    if wanted and len(texts) == len(wanted):  # otherwise a name is missing or used twice (mounts)
        by_name = {str(entry.get("name")): entry for entry in live if isinstance(entry, dict)}
        for entry in wanted:
            name = entry["name"]
            yield from _differ(entry, by_name.get(name), f"{path}[{name}]", literal=literal)
        return
    if len(wanted) != len(live):
        yield path
        return
    for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
        yield from _differ(one, other, f"{path}[{index}]", literal=literal)


def _means_something(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_means_something(item) for item in value.values())
    return value not in (None, [], "", False, 0)


def _equal(wanted: Any, live: Any, *, literal: bool) -> bool:
    if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
        return True
    if live is None:  # the API server drops empty values
        return not _means_something(wanted)
    if wanted is None:
        return True
    if literal:
        return False
    first, second = quantity(wanted), quantity(live)
    return first is not None and first == second


# Fields that hold text, where "1k" and "1000" differ.
_TEXT = re.compile(
    r"(^|\.)(data|labels|annotations|matchLabels)\.|\.(args|command)\[|\.env\[[^]]*\]\.value$"
)
