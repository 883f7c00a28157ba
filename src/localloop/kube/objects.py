"""Kubernetes objects as plain dicts, references to them, and a snapshot of many of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from .fields import map_at, maps_at
from .managed_fields import metadata_digest

Object = dict[str, Any]
ObjectKey = tuple[str, str, str, str]
"""Group, kind, namespace and name: the same for every version of the API."""


def group_of(api_version: str) -> str:
    """The API group of an ``apiVersion`` (empty for the core group)."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


@dataclass(frozen=True, order=True)
class ObjectRef:
    """Names one object; ``namespace`` is empty for cluster-scoped kinds."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> ObjectRef:
        """The inverse of ``str()``; raises ``ValueError``."""
        parts = text.split("/")
        if len(parts) not in (4, 5) or not parts[0] or not parts[-3] or not parts[-1]:
            raise ValueError(f"not an object reference: {text!r}")
        return cls("/".join(parts[:-3]), parts[-3], parts[-2], parts[-1])

    @property
    def group(self) -> str:
        """The API group (empty for the core group)."""
        return group_of(self.api_version)

    @property
    def key(self) -> ObjectKey:
        """The object's identity, without the API version."""
        return self.group, self.kind, self.namespace, self.name


def ref_of(obj: Object) -> ObjectRef:
    """The reference of a live or rendered object."""
    metadata = obj["metadata"]
    return ObjectRef(
        obj["apiVersion"], obj["kind"], metadata.get("namespace") or "", metadata["name"]
    )


def uid_of(obj: Object) -> str:
    """The uid; empty for an object that does not come from a cluster."""
    return str(map_at(obj, "metadata").get("uid") or "")


def condition(obj: Object, kind: str) -> Mapping[str, Any]:
    """The status condition of type ``kind``, or an empty mapping."""
    for entry in maps_at(obj, "status", "conditions"):
        if entry.get("type") == kind:
            return dict(entry)
    return {}


def controller_uid(obj: Object) -> str:
    """The uid of the controller that owns the object, or an empty string."""
    for owner in maps_at(obj, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return str(owner.get("uid") or "")
    return ""


def timestamp(text: Any) -> float | None:
    """An API timestamp (RFC 3339) as epoch seconds; ``None`` if missing or malformed."""
    if not text or not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True)
class Snapshot:
    """Objects of the cluster at one moment, indexed by key, kind and owner.

    ``now`` is the API server's time (epoch seconds), ``gate_started`` its time when the gate began
    (``None`` outside a gate), ``run_started`` when the run began that changed something (``None``
    without one); ``initial_restarts`` the restart counts by (pod uid, container) when a pod was
    first seen.
    """

    objects: tuple[Object, ...] = ()
    now: float = 0.0
    gate_started: float | None = None
    run_started: float | None = None
    initial_restarts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @cached_property
    def _by_key(self) -> dict[ObjectKey, Object]:
        return {ref_of(obj).key: obj for obj in self.objects}

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str, str], list[Object]]:
        found: dict[tuple[str, str, str], list[Object]] = {}
        for (group, kind, namespace, _), obj in self._by_key.items():
            found.setdefault((group, kind, namespace), []).append(obj)
        return found

    @cached_property
    def _owned(self) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for obj in self._by_key.values():
            owner = controller_uid(obj)
            if owner:
                found.setdefault(owner, []).append(obj)
        return found

    def get(self, ref: ObjectRef) -> Object | None:
        """The object of that name, whatever API version it was read in."""
        return self._by_key.get(ref.key)

    def of_kind(self, group: str, kind: str, namespace: str) -> list[Object]:
        """All objects of one kind in one namespace."""
        return self._by_kind.get((group, kind, namespace), [])

    def pods(self, namespace: str) -> list[Object]:
        """All pods of a namespace."""
        return self.of_kind("", "Pod", namespace)

    def endpoints(self, namespace: str, name: str) -> Object | None:
        """The Endpoints object of a Service."""
        return self.get(ObjectRef("v1", "Endpoints", namespace, name))

    def owned_by(self, uid: str, kind: str) -> list[Object]:
        """The objects of that kind whose owning controller has this uid."""
        return [obj for obj in self._owned.get(uid, ()) if obj["kind"] == kind] if uid else []


def object_version(live: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a version of a live object: uid, generation, and a digest of its metadata.

    Labels and annotations move no generation. The resourceVersion, which everything moves, takes
    the place of both where the kind has no generation.
    """
    metadata = live["metadata"]
    if metadata.get("generation"):
        return {
            "uid": uid_of(dict(live)),
            "generation": metadata["generation"],
            "metadata": metadata_digest(live),
        }
    return {"uid": uid_of(dict(live)), "resource_version": metadata.get("resourceVersion", "")}
