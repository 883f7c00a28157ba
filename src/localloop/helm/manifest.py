"""The objects of manifests: of those that Helm rendered, and of files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import LocalloopError
from ..kube.documents import DocumentError, read_documents
from ..kube.fields import as_map
from ..kube.objects import Object, ObjectRef, ref_of


def parse(manifest: str, namespace: str) -> list[Object]:
    """The objects of a rendered manifest, without hooks, which Helm stores elsewhere.

    ``namespace`` is the release's; objects that name none get it, even if their kind has none: the
    API server knows which kinds are namespaced, see ``located``. Raises ``manifest_unreadable``.
    """
    try:
        found = list(read_objects(manifest))
    except DocumentError as error:
        raise LocalloopError(
            "manifest_unreadable",
            f"what Helm rendered cannot be read: {error}",
            hint="Correct the chart: `helm get manifest` shows what it rendered.",
        ) from None
    for obj in found:
        obj["metadata"]["namespace"] = obj["metadata"].get("namespace") or namespace
    return found


def read_objects(text: bytes | str) -> Iterator[Object]:
    """The objects of YAML or JSON documents as written; lists are flattened.

    Raises ``DocumentError``, also for a document that is not an object.
    """
    for line, document in read_documents(text):
        for obj in _flat(document):
            problem = _problem(obj)
            if problem:
                raise DocumentError(line, problem)
            yield obj


def _flat(document: Any) -> Iterator[Any]:
    """The object itself, or the items of a list. Any kind with ``items`` is one to kubectl."""
    if not isinstance(document, dict) or "items" not in document:
        yield document
        return
    items = document["items"]
    if items is None:
        return
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, dict) and not item.get("kind") and not item.get("apiVersion"):
            kind = str(document.get("kind") or "").removesuffix("List")
            item |= {"apiVersion": document.get("apiVersion"), "kind": kind}
        yield from _flat(item)


def _problem(obj: Any) -> str:
    """Why it is not an object that an API server could store under a name; empty if it is."""
    if not isinstance(obj, dict):
        return "not a Kubernetes object"
    metadata = obj.get("metadata")
    named = as_map(metadata)
    for key, value in (
        ("apiVersion", obj.get("apiVersion")),
        ("kind", obj.get("kind")),
        ("metadata.name", named.get("name")),
    ):
        if not isinstance(value, str) or not value:
            return _not_text(key, value) if value else f"not a Kubernetes object: it has no {key}"
    if not isinstance(named.get("namespace") or "", str):
        return _not_text("metadata.namespace", named["namespace"])
    for field in ("labels", "annotations"):
        if not isinstance(named.get(field) or {}, dict):
            return f"metadata.{field} must be a map"
        for key, value in as_map(named.get(field)).items():
            if value is not None and not isinstance(value, str):
                return _not_text(f"metadata.{field}.{key}", value)
    return ""


def _not_text(key: str, value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{key} must be text"
    shown = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"{key} must be text, and {shown} is not: put it in quotes"


def located(obj: Object, *, namespaced: bool) -> ObjectRef:
    """The reference of a manifest's object; without a namespace if its kind has none."""
    ref = ref_of(obj)
    return ref if namespaced else ObjectRef(ref.api_version, ref.kind, "", ref.name)
