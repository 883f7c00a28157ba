"""A release's manifest: its objects, and whether the live ones still are what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from .kube.objects import Object, ObjectRef, ref_of


def parse(manifest: str, namespace: str) -> list[Object]:
    """The objects of a rendered manifest (Helm keeps hooks elsewhere).

    ``namespace`` is the release's, for objects that name none; whether a kind is namespaced is
    for the API server to say, see ``located``.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: list[Object] = []
    for document in yaml.load_all(manifest, Loader=loader):
        if not isinstance(document, dict) or "kind" not in document:
            continue
        for obj in document["items"] if document["kind"] == "List" else [document]:
            obj["metadata"].setdefault("namespace", namespace)
            found.append(obj)
    return found


def located(obj: Object, *, namespaced: bool) -> ObjectRef:
    """The reference of a manifest's object, without a namespace where its kind has none."""
    ref = ref_of(obj)
    return ref if namespaced else ObjectRef(ref.api_version, ref.kind, "", ref.name)


def differences(wanted: Object, live: Object) -> list[str]:
    """The paths of fields that the manifest sets and the live object has otherwise."""
    if wanted["kind"] == "Secret" and wanted.get("stringData"):
        wanted = {**wanted, "stringData": None}
    metadata = wanted.get("metadata") or {}
    body = {key: value for key, value in wanted.items() if key not in ("metadata", "status")}
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    return list(_differ(body, live, "")) + list(_differ(kept, live.get("metadata") or {}, ""))


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
    elif not _equal(wanted, live):
        yield path


def _lists_differ(wanted: list[Any], live: Any, path: str) -> Iterator[str]:
    if not isinstance(live, list):
        yield path
        return
    named = [entry for entry in wanted if isinstance(entry, dict) and "name" in entry]
    if wanted and len(named) == len(wanted):
        by_name = {entry.get("name"): entry for entry in live if isinstance(entry, dict)}
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


def _equal(wanted: Any, live: Any) -> bool:
    if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
        return True
    if live is None:  # the API server drops empty values
        return not _means_something(wanted)
    if wanted is None:
        return True
    first, second = _quantity(wanted), _quantity(live)
    return first is not None and first == second


_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")


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
