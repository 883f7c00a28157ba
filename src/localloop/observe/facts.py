"""What a plan is made from, as data: the request, and what was observed (by gather.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from ..helm.releases import TRANSACTION_LABEL, Release
from ..readiness.result import GateResult
from ..record.model import ChartState, Record
from ..registry.published import PublishedImage


@dataclass(frozen=True)
class ImageFacts:
    """What is known about an image.

    ``published``: what the registry holds for this fingerprint, by the recorded digest or by tag.
    ``lost``: the registry no longer holds the digest that the record names for this fingerprint.
    ``changes``: what changed since the recorded fingerprint (see ``explain.explain``).
    ``untracked``: what can change the output without changing the fingerprint.
    ``kept``: by consuming chart, the image in that chart's entry, if the registry still holds it.
    ``loads``: images are brought to the stores where the nodes find them; ``lacking``: the stores
    that do not hold ``published``.
    """

    fingerprint: str
    published: PublishedImage | None = None
    lost: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, PublishedImage] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    loads: bool = False
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeFileFacts:
    """What is known about a node file.

    As for an image, but ``published`` is only looked up if it is needed. ``other``: nodes that hold
    other bytes than the recorded ones; ``missing``: nodes without the file. ``pending``: pods that
    still use earlier bytes. ``mode`` and ``timeout`` (seconds for each pod): how they are
    reconciled; ``mode`` is ``none`` by default.
    """

    fingerprint: str
    published: PublishedImage | None = None
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
    """What is known about a chart.

    ``consumes``: the images that its values refer to. ``release``: the newest revision in the
    cluster. ``manifest_same``: its manifest is the recorded one. ``drift``: objects that differ
    from it. ``other_pods``: pods of the current revision that run none of the recorded digests.
    ``seen``: the gate's verdict by one look, if the release is the recorded one. ``not_ready``: why
    its workloads are not ready, empty if they are.
    ``new_versions``: recorded objects with a new generation but unchanged fields of the manifest.
    """

    fingerprint: str
    consumes: tuple[str, ...] = ()
    release: Release | None = None
    manifest_same: bool = False
    drift: tuple[str, ...] = ()
    other_pods: tuple[str, ...] = ()
    seen: GateResult | None = None
    not_ready: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    new_versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    adopt: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything that a plan is made from.

    ``recreated``: this cluster is not the one that the project was deployed to before.
    ``new_cluster``: the plan is for a cluster that replaces this one. ``declared``: the gate's
    verdict on the pods and requests that the project declares; None if it declares none or they
    were not looked at. ``unchecked``: what could not be looked at, and what was assumed instead.
    """

    project: str
    images: dict[str, ImageFacts]
    charts: dict[str, ChartFacts]
    record: Record
    recreated: bool = False
    new_cluster: bool = False
    node_files: dict[str, NodeFileFacts] = field(default_factory=dict)
    declared: GateResult | None = None
    unchecked: tuple[str, ...] = ()

    @property
    def seen(self) -> tuple[GateResult, ...]:
        """All verdicts of the gate by one look."""
        found = (*(chart.seen for chart in self.charts.values()), self.declared)
        return tuple(result for result in found if result is not None)


@dataclass(frozen=True)
class Request:
    """What the user asked for: ``mode`` (``auto`` or ``full``), and components as ``targets``."""

    mode: str = "auto"
    targets: tuple[str, ...] = ()


def request(names: tuple[str, ...], *, full: bool, known: list[str]) -> Request:
    """The request for these targets; the target ``all`` means ``full``.

    ``known`` are the project's components. Raises ``UsageError`` (``unknown_target``).
    """
    for name in names:
        if name not in known and name != "all":
            from difflib import get_close_matches

            near = get_close_matches(name, [*known, "all"], n=1)
            raise UsageError(
                "unknown_target",
                f"there is no component {name!r}",
                hint=f"Did you mean {near[0]}?" if near else f"Components: {', '.join(known)}.",
            )
    if full or "all" in names:
        return Request("full")
    return Request("auto", tuple(dict.fromkeys(names)))


def is_live(release: Release, target: ChartState) -> bool:
    """Whether the release is the one that a run made on the way to this state."""
    return (
        release.revision == target.base_revision + 1
        and release.status == "deployed"
        and release.labels.get(TRANSACTION_LABEL) == target.transaction
    )
