"""A plan as data: each component's steps or skip, with reasons. The steps pass it on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from ..cluster.route import OURS, Route
from ..observe.facts import Request
from ..registry.published import PublishedImage, images_from_dict

Step = Literal[
    "build",
    "publish",
    "load",
    "put",
    "reconcile",
    "release",
    "rollback",
    "settle",
    "prune",
    "remove",
]
STEPS: tuple[Step, ...] = get_args(Step)
"""Everything that a component's plan may ask for: the loop in its order, then what clears away."""

UNCHECKED = "unchecked"
"""Takes the place of a skip if the cluster cannot be reached and only the inputs are known."""


@dataclass(frozen=True)
class Reason:
    """Why a step is taken: a stable name, and the details in a few words."""

    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.detail})" if self.detail else self.name


ON_A_NEW_CLUSTER = Reason("cluster_recreated", "nothing is deployed to a new cluster")


@dataclass(frozen=True)
class FilePlan:
    """A node file's own part of a plan.

    ``deployed``: the recorded sha256. ``lost``: nodes that hold other bytes, or none. ``mode`` and
    ``timeout`` (seconds for each pod): how pods are reconciled. ``pending``: pods that still use
    earlier bytes.

    Results: ``sha256`` of what was built or put; ``expected`` running pods, ``restarted`` pods,
    ``waits`` for a replacement, and ``failure``, the reason why the reconcile stopped.
    """

    mode: str = "none"
    timeout: float = 0.0
    deployed: str = ""
    lost: tuple[str, ...] = ()
    pending: int = 0
    sha256: str = ""
    expected: int = 0
    restarted: int = 0
    waits: int = 0
    failure: str = ""


@dataclass(frozen=True)
class BackTo:
    """The settled state that a chart goes back to: its transaction and its Helm revision."""

    transaction: str = ""
    revision: int = 0


@dataclass(frozen=True)
class ComponentPlan:
    """One component's steps, or its skip, with reasons.

    ``previous``: the recorded fingerprint. ``changes``: how the inputs changed since (see
    ``fingerprint.explain``). ``image``: for an image that is not built, what the registry holds.
    ``consumes``: the images that a chart uses; ``images``: those of them that it is to run, without
    those still to be built; ``deployed``: those that it runs. ``base_revision``: the live revision
    of a chart. ``only_if_digest_differs``: the steps are only needed if the bytes, which are not
    known yet, differ. ``file``: for a node file. ``untracked``: what can change the output without
    changing the fingerprint. ``back_to``: for a chart with the step ``rollback``. ``removes``: what
    the steps ``prune`` and ``remove`` remove, as digests or releases.

    The steps add their results: ``image`` that was built, ``moved`` if its inputs changed
    meanwhile, ``revision`` that was released, ``changed``.
    """

    name: str
    kind: str
    steps: tuple[Step, ...] = ()
    reasons: tuple[Reason, ...] = ()
    skip: str = ""
    fingerprint: str = ""
    previous: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    image: PublishedImage | None = None
    consumes: tuple[str, ...] = ()
    images: dict[str, PublishedImage] = field(default_factory=dict)
    deployed: dict[str, PublishedImage] = field(default_factory=dict)
    only_if_digest_differs: bool = False
    file: FilePlan = FilePlan()
    back_to: BackTo = BackTo()
    removes: tuple[str, ...] = ()
    base_revision: int = 0
    warnings: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    changed: bool = False
    moved: bool = False
    revision: int = 0


@dataclass(frozen=True)
class Plan:
    """What one run will do.

    ``root`` is the project's directory. ``cluster``: the verdict on the cluster (see
    cluster_verdict.py); if it has to be started or made first, the components are planned after
    that. ``provider``: ``name``, ``context`` and ``why`` it was chosen. ``route``: how images reach
    the nodes. ``serial``: the record's; the run's first change fails if the record moved since.
    ``unchecked``: what could not be looked at, and what was assumed instead. ``warnings``: those
    that are about no component.
    """

    project: str
    root: str
    profile: str
    mode: str
    targets: tuple[str, ...]
    cluster: dict[str, str]
    components: dict[str, ComponentPlan] = field(default_factory=dict)
    serial: int = 0
    config_sha256: str = ""
    platform: str = ""
    registry: str = ""
    provider: dict[str, str] = field(default_factory=dict)
    route: Route = OURS
    unchecked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def request(self) -> Request:
        """What the user asked for."""
        return Request(self.mode, self.targets)

    @property
    def changes_nothing(self) -> bool:
        """Whether every component is skipped and the cluster is as it should be."""
        return self.cluster["verdict"] == "ok" and not any(
            component.steps for component in self.components.values()
        )

    def with_step(self, step: Step) -> list[ComponentPlan]:
        """The components that take a step, in the plan's order."""
        return [component for component in self.components.values() if step in component.steps]

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for the journal and for Ansible."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        """The plan from ``as_dict``. Raises ``KeyError`` or ``TypeError`` for other data."""
        components = {
            name: ComponentPlan(
                **{
                    **found,
                    "steps": tuple(found["steps"]),
                    "reasons": tuple(Reason(**reason) for reason in found["reasons"]),
                    "image": PublishedImage.from_dict(found["image"]) if found["image"] else None,
                    "images": images_from_dict(found["images"]),
                    "deployed": images_from_dict(found["deployed"]),
                    "consumes": tuple(found["consumes"]),
                    "removes": tuple(found["removes"]),
                    "warnings": tuple(found["warnings"]),
                    "untracked": tuple(found["untracked"]),
                    "file": _file(found["file"]),
                    "back_to": BackTo(**found["back_to"]),
                }
            )
            for name, found in data["components"].items()
        }
        return cls(
            **{
                **data,
                "targets": tuple(data["targets"]),
                "unchecked": tuple(data["unchecked"]),
                "warnings": tuple(data["warnings"]),
                "route": Route(**data["route"]),
                "components": components,
            }
        )


def _file(data: dict[str, Any]) -> FilePlan:
    return FilePlan(**{**data, "lost": tuple(data["lost"])})
