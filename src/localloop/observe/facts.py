"""What a plan is made of, as data: what is wanted and what was observed (by ``gather.py``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..helm.command import Release
from ..plan.model import Image
from ..record.store import Record


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image now.

    ``published``: what the registry holds for this fingerprint, by the record or by the tag.
    ``lost``: the record names a digest for this fingerprint that the registry no longer holds.
    ``changes``: what changed since the recorded fingerprint (see ``explain.explain``).
    ``untracked``: what can change the output and is in no fingerprint.
    ``kept``: per consuming chart, the digest of that chart's entry that the registry still holds.
    """

    fingerprint: str
    published: Image | None = None
    lost: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Image] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeFileFacts:
    """What is known of a node file now.

    As of an image, but ``published`` is only looked for where it is needed.
    ``other``: nodes that hold other bytes than the recorded ones; ``missing``: nodes without the
    file. ``pending``: pods that still use earlier bytes. ``mode`` and ``timeout`` (seconds a pod):
    how they are reconciled; ``mode`` is ``none`` where the project says nothing.
    """

    fingerprint: str
    published: Image | None = None
    lost: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    pending: int = 0
    mode: str = "none"
    timeout: float = 0.0


@dataclass(frozen=True)
class ChartFacts:
    """What is known of a chart now.

    ``consumes``: the images that its values name. ``release``: the newest revision in the cluster.
    ``manifest_same``: its manifest is the recorded one. ``drift``: objects that differ from it.
    ``other_pods``: pods of the current revision that run none of the recorded digests.
    ``not_ready``: why its workloads are not ready, empty where they are.
    ``renoted``: recorded objects whose generation moved although the manifest's fields did not.
    """

    fingerprint: str
    consumes: tuple[str, ...] = ()
    release: Release | None = None
    manifest_same: bool = False
    drift: tuple[str, ...] = ()
    other_pods: tuple[str, ...] = ()
    not_ready: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    renoted: dict[str, dict[str, Any]] = field(default_factory=dict)
    adopt: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that a plan is made of.

    ``recreated``: this cluster is not the one known before. ``anew``: it is about to be replaced.
    ``unchecked``: what could not be looked at, and what was taken for it.
    """

    project: str
    images: dict[str, ImageFacts]
    charts: dict[str, ChartFacts]
    record: Record
    recreated: bool = False
    anew: bool = False
    node_files: dict[str, NodeFileFacts] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
