"""Releases as Helm stores them in the cluster: one Secret for each revision."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import LocalloopError
from ..kube.client import Kube
from ..kube.objects import ObjectRef

TRANSACTION_LABEL = "localloop-transaction"


PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


@dataclass(frozen=True)
class Release:
    """A revision of a release, from the metadata of its Secret; ``created`` is RFC 3339."""

    name: str
    namespace: str
    revision: int
    status: str
    labels: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    uid: str = ""
    resource_version: str = ""
    created: str = ""

    @property
    def place(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"

    @property
    def removal(self) -> str:
        """The command that removes the release by hand."""
        return f"helm -n {self.namespace} uninstall {self.name}"

    @property
    def owner(self) -> str:
        """The project whose label it has; empty without one."""
        return self.labels.get(PROJECT_LABEL, "")

    @property
    def whose(self) -> str:
        """Whose it is, in words, if it is not this project's."""
        return f"project {self.owner}'s" if self.owner else "not one of localloop's"

    def belongs_to(self, project: str, *, adopt: bool) -> bool:
        """Whether it is this project's; with ``adopt`` also if it has no owner."""
        return self.owner == project or (adopt and not self.owner)


def releases(kube: Kube, namespace: str, names: Sequence[str]) -> dict[str, Release]:
    """The newest revision of each named release in a namespace, by one metadata-only LIST."""
    return {release.name: release for release in _newest(revisions(kube, namespace, names))}


def all_releases(kube: Kube) -> list[Release]:
    """The newest revision of each release in the cluster, by one metadata-only LIST."""
    items, _ = kube.list("v1", "Secret", label_selector="owner=helm", metadata_only=True)
    return _newest([_release(item["metadata"]) for item in items])


def _newest(revisions: Iterable[Release]) -> list[Release]:
    newest: dict[tuple[str, str], Release] = {}
    for release in sorted(revisions, key=lambda each: each.revision):
        newest[release.namespace, release.name] = release
    return list(newest.values())


def revisions(kube: Kube, namespace: str, names: Sequence[str]) -> list[Release]:
    """All revisions that Helm keeps of the named releases, by one metadata-only LIST."""
    selector = f"owner=helm,name in ({','.join(sorted(names))})"
    items, _ = kube.list("v1", "Secret", namespace, label_selector=selector, metadata_only=True)
    return [_release(item["metadata"]) for item in items]


def _release(metadata: Mapping[str, Any]) -> Release:
    labels = metadata.get("labels", {})
    return Release(
        name=labels.get("name", ""),
        namespace=metadata.get("namespace", ""),
        revision=int(labels.get("version", "0")),
        status=labels.get("status", ""),
        labels=labels,
        secret=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        created=metadata.get("creationTimestamp", ""),
    )


@dataclass(frozen=True)
class HelmHook:
    """A hook of a revision: its manifest, when it runs (``pre-upgrade``), and how that ended.

    ``phase`` is ``Running``, ``Succeeded``, ``Failed`` or ``Unknown``; empty if it did not run.
    """

    manifest: str
    events: tuple[str, ...]
    phase: str


@dataclass(frozen=True)
class Stored:
    """What Helm stored for a revision: manifest and its sha256, the given values, the hooks."""

    manifest: str
    sha256: str
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    hooks: tuple[HelmHook, ...] = ()


def stored(kube: Kube, release: Release) -> Stored:
    """Read what Helm stored in a revision's Secret (base64, base64, gzip, JSON). One GET.

    Raises ``release_gone`` or ``release_undecodable``.
    """
    content = decode_secret(_secret(kube, release))
    manifest = content.get("manifest", "")
    digest = hashlib.sha256(manifest.encode()).hexdigest()
    hooks = tuple(
        HelmHook(
            hook.get("manifest") or "",
            tuple(hook.get("events") or ()),
            (hook.get("last_run") or {}).get("phase") or "",
        )
        for hook in content.get("hooks") or ()
    )
    return Stored(manifest, digest, content.get("config") or {}, hooks)


def mark_failed(kube: Kube, release: Release) -> None:
    """Mark a pending revision, whose helm died (see ``PENDING``), as failed.

    Helm refuses to upgrade a pending release, but upgrades a failed one.
    """
    secret = _secret(kube, release)
    content = decode_secret(secret)
    content["info"]["status"] = "failed"
    content["info"]["description"] = "localloop: helm died before it was done"
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    secret["data"]["release"] = base64.b64encode(packed).decode()
    secret["metadata"]["labels"]["status"] = "failed"
    kube.replace({"apiVersion": "v1", "kind": "Secret", **secret})


def _secret(kube: Kube, release: Release) -> dict[str, Any]:
    found = kube.read(ObjectRef("v1", "Secret", release.namespace, release.secret))
    if found is None:
        raise LocalloopError(
            "release_gone",
            f"revision {release.revision} of release {release.name} is gone",
            hint="Run the deploy again.",
        )
    return found


def decode_secret(secret: Mapping[str, Any]) -> dict[str, Any]:
    """The release in one of Helm's Secrets, as plain data; raises ``release_undecodable``."""
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        content = json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
    except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
        metadata = secret.get("metadata", {})
        name, namespace = metadata.get("name"), metadata.get("namespace")
        raise LocalloopError(
            "release_undecodable",
            f"Helm's Secret {name} cannot be read: {error}",
            hint="Helm cannot read it either. Delete that one Secret: what runs keeps running, and"
            f" the next deploy releases again: kubectl -n {namespace} delete secret {name}",
        ) from error
    return content if isinstance(content, dict) else {}


def is_pending(release: Release | None) -> bool:
    """Whether a helm was at work on the release, or died while it was."""
    return release is not None and release.status in PENDING


PROJECT_LABEL = "localloop-project"


# How many revisions of a release Helm keeps.
HISTORY_MAX = 10
