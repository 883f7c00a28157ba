"""A release's manifest: its objects, and how the live ones differ from it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from ..kube.objects import Object, ObjectRef, ref_of


def parse(manifest: str, namespace: str) -> list[Object]:
    """The objects of a rendered manifest, without hooks, which Helm stores elsewhere.

    ``namespace`` is the release's; objects that name none get it, even if their kind has none: the
    API server knows which kinds are namespaced, see ``located``.
    """
    found = list(documents(manifest))
    for obj in found:
        obj["metadata"].setdefault("namespace", namespace)
    return found


def documents(text: str) -> Iterator[Object]:
    """The objects of YAML documents as written; lists are flattened."""
    import yaml

    for document in yaml.load_all(text, Loader=_loader()):
        if isinstance(document, dict) and "kind" in document:
            yield from _flat(document)


@cache
def _loader() -> Any:
    """A safe loader that reads scalars like Helm: ``12:30`` and ``2026-01-01`` are text."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [
            (tag, _without_colon(regexp) if tag.endswith((":int", ":float")) else regexp)
            for tag, regexp in found
            if not tag.endswith(":timestamp")
        ]
        for first, found in base.yaml_implicit_resolvers.items()
    }
    return type("_Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def _without_colon(regexp: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(f"(?![^:]*:)(?:{regexp.pattern})", re.X)


def _flat(document: Object) -> Iterator[Object]:
    """The object itself, or the items of a list of any kind, as Helm treats them."""
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _flat(item)
    else:
        yield document


def located(obj: Object, *, namespaced: bool) -> ObjectRef:
    """The reference of a manifest's object; without a namespace if its kind has none."""
    ref = ref_of(obj)
    return ref if namespaced else ObjectRef(ref.api_version, ref.kind, "", ref.name)


def differences(wanted: Object, live: Object) -> list[str]:
    """The paths of fields that the manifest sets and whose live values differ."""
    if wanted["kind"] == "Secret" and wanted.get("stringData"):
        data = {key: _base64(value) for key, value in wanted["stringData"].items()}
        wanted = {**wanted, "data": {**(wanted.get("data") or {}), **data}, "stringData": None}
    metadata = wanted.get("metadata") or {}
    body = {key: value for key, value in wanted.items() if key not in ("metadata", "status")}
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    return list(_differ(body, live, "")) + list(_differ(kept, live.get("metadata") or {}, ""))


def _base64(value: Any) -> str:
    return base64.b64encode(str(value).encode()).decode()


def _differ(wanted: Any, live: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            if _means_something(wanted):
                yield path
            return
        for key, value in wanted.items():
            yield from _differ(value, live.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(wanted, list):
        yield from _lists_differ(wanted, live or [], path)
    elif not _equal(wanted, live, literal=_LITERAL.search(path) is not None):
        yield path


def _lists_differ(wanted: list[Any], live: Any, path: str) -> Iterator[str]:
    if not isinstance(live, list):
        yield path
        return
    names = [entry.get("name") for entry in wanted if isinstance(entry, dict)]
    texts = {name for name in names if isinstance(name, str)}
    if wanted and len(texts) == len(wanted):  # otherwise a name is missing or used twice (mounts)
        by_name = {str(entry.get("name")): entry for entry in live if isinstance(entry, dict)}
        for entry in wanted:
            yield from _differ(entry, by_name.get(entry["name"]), f"{path}[{entry['name']}]")
        return
    if len(wanted) != len(live):
        yield path
        return
    for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
        yield from _differ(one, other, f"{path}[{index}]")


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
    first, second = _quantity(wanted), _quantity(live)
    return first is not None and first == second


# Fields that hold text, where "1k" and "1000" differ.
_LITERAL = re.compile(
    r"(^|\.)(data|labels|annotations|matchLabels)\.|\.(args|command)\[|\.env\[[^]]*\]\.value$"
)

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(n|u|m|k|[KMGTPE]i|[MGTPE])?")


def _quantity(value: Any) -> Decimal | None:
    """A Kubernetes quantity (``0.5`` and ``500m`` are equal) as a number."""
    if isinstance(value, bool):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    try:
        return Decimal(match[1]) * _SUFFIXES[match[2] or ""]
    except InvalidOperation:
        return None
