"""The decision what to do: one pure function of what is wanted and what was observed.

A component is skipped only with proof; every step has a reason. Nothing here reads a file, a clock
or a socket: ``observe.py`` collects the ``Facts``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .errors import UsageError
from .helm import PENDING, TRANSACTION_LABEL, Release
from .record import PROJECT_LABEL, ChartEntry, ChartState, Record

Image = dict[str, str]
"""{repository, digest, config}: a published image; digests as ``sha256:…``."""


@dataclass(frozen=True)
class Reason:
    """Why a step is taken: a stable name, and what it is about in a few words."""

    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.detail})" if self.detail else self.name


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image now.

    ``published``: what the registry holds for this fingerprint, by the record or by the tag.
    ``lost``: the record names a digest for this fingerprint that the registry no longer holds.
    ``changes``: what changed since the recorded fingerprint (see ``fingerprint.explain``).
    ``kept``: per consuming chart, the digest of that chart's entry that the registry still holds.
    """

    fingerprint: str
    published: Image | None = None
    lost: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Image] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


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
    """All that a plan is made of. ``recreated``: this cluster is not the one known before."""

    project: str
    images: dict[str, ImageFacts]
    charts: dict[str, ChartFacts]
    record: Record
    recreated: bool = False


@dataclass(frozen=True)
class ComponentPlan:
    """One component's steps, or its skip, with reasons.

    ``image``: for an image that is not built, what the registry holds. ``images``: for a chart, the
    published images it is to run; those still to be built are absent. ``only_if_digest_differs``:
    the release is needed for nothing but images that are still to be built.

    The steps hand the plan on with their results in it: ``image`` of what was built, ``moved``
    where its inputs changed meanwhile, ``revision`` of what was released, ``changed``.
    """

    name: str
    kind: str
    steps: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    skip: str = ""
    fingerprint: str = ""
    previous: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    image: Image | None = None
    consumes: tuple[str, ...] = ()
    images: dict[str, Image] = field(default_factory=dict)
    deployed: dict[str, Image] = field(default_factory=dict)
    only_if_digest_differs: bool = False
    base_revision: int = 0
    warnings: tuple[str, ...] = ()
    changed: bool = False
    moved: bool = False
    revision: int = 0


@dataclass(frozen=True)
class Plan:
    """What one run will do.

    ``cluster``: {verdict, reason}; with any verdict but ``ok`` the components are planned once the
    cluster is there. ``serial``: the record's, which the run's first change must still find.
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
    unchecked: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether every component is skipped and the cluster is as it should be."""
        return self.cluster["verdict"] == "ok" and not any(
            component.steps for component in self.components.values()
        )

    def with_step(self, step: str) -> list[ComponentPlan]:
        """The components that take a step, in the plan's order."""
        return [component for component in self.components.values() if step in component.steps]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        components = {
            name: ComponentPlan(
                **{
                    **found,
                    "steps": tuple(found["steps"]),
                    "reasons": tuple(Reason(**reason) for reason in found["reasons"]),
                    "consumes": tuple(found["consumes"]),
                    "warnings": tuple(found["warnings"]),
                }
            )
            for name, found in data["components"].items()
        }
        return cls(
            **{
                **data,
                "targets": tuple(data["targets"]),
                "unchecked": tuple(data["unchecked"]),
                "components": components,
            }
        )


@dataclass(frozen=True)
class Request:
    """What the user asked for: ``mode`` is ``auto`` or ``full``, ``targets`` component names."""

    mode: str = "auto"
    targets: tuple[str, ...] = ()


def request(names: tuple[str, ...], *, full: bool, known: list[str]) -> Request:
    """The request for these targets; ``all`` is ``full``; an unknown name is refused."""
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


def make_components(facts: Facts, wanted: Request) -> dict[str, ComponentPlan]:
    """Each component's plan: images first, then charts."""
    released = _charts_in_scope(facts, wanted)
    needed = _needed_images(facts, wanted, released)
    images = {
        name: _plan_image(name, image, facts.record, wanted, needed.get(name, ""))
        for name, image in facts.images.items()
    }
    charts = {
        name: _plan_chart(name, chart, facts, wanted, images, in_scope=name in released)
        for name, chart in facts.charts.items()
    }
    return {**images, **charts}


def _charts_in_scope(facts: Facts, wanted: Request) -> set[str]:
    if not wanted.targets:
        return set(facts.charts)
    return {
        name
        for name, chart in facts.charts.items()
        if name in wanted.targets or set(chart.consumes) & set(wanted.targets)
    }


def _kept(facts: Facts, chart: str, image: str) -> Image | None:
    return facts.images[image].kept.get(chart)


def _needed_images(facts: Facts, wanted: Request, released: set[str]) -> dict[str, str]:
    """Images that a target's chart needs although nobody named them: name → that chart."""
    if not wanted.targets:
        return {}
    needed: dict[str, str] = {}
    for chart in sorted(released):
        for image in facts.charts[chart].consumes:
            published = _kept(facts, chart, image)
            if image not in wanted.targets and published is None:
                needed.setdefault(image, chart)
    return needed


def _plan_image(
    name: str, image: ImageFacts, record: Record, wanted: Request, needed_by: str
) -> ComponentPlan:
    entry = record.images.get(name)
    previous = entry.fingerprint if entry else ""
    plan = ComponentPlan(
        name,
        "image",
        fingerprint=image.fingerprint,
        previous=previous,
        changes=image.changes,
        image=image.published,
        warnings=image.warnings,
    )
    forced = _forced(name, wanted)
    if wanted.targets and not forced and not needed_by:
        return replace(plan, skip="not_targeted")
    reasons = [forced] if forced else []
    if image.published is None:
        reasons.append(_why_build(image, previous))
        if needed_by:
            reasons.append(Reason("required_by", needed_by))
    if not reasons:
        return replace(plan, skip="unchanged" if previous == image.fingerprint else "in_registry")
    return replace(plan, steps=("build", "publish"), reasons=tuple(reasons), image=None)


def _forced(name: str, wanted: Request) -> Reason | None:
    if wanted.mode == "full":
        return Reason("full")
    return Reason("targeted") if name in wanted.targets else None


def _why_build(image: ImageFacts, previous: str) -> Reason:
    if image.lost:
        return Reason("registry_lost", "the registry no longer has it")
    if not previous:
        return Reason("never_built")
    if previous == image.fingerprint:
        return Reason("registry_lost", "the registry no longer has it")
    return Reason("inputs_changed", summary_of(image.changes))


def summary_of(changes: dict[str, Any]) -> str:
    """``index.html changed, 2 added`` — a few words of what ``fingerprint.explain`` found."""
    parts = []
    for word in ("changed", "added", "removed"):
        found = changes.get(word) or {"count": 0, "first": []}
        shown = found["first"][:3]
        if shown:
            more = found["count"] - len(shown)
            parts.append(f"{word} {', '.join(shown)}" + (f" and {more} more" if more else ""))
    parts += [str(fact) for fact in changes.get("facts_changed") or []]
    return "; ".join(parts)


def _plan_chart(
    name: str,
    chart: ChartFacts,
    facts: Facts,
    wanted: Request,
    images: dict[str, ComponentPlan],
    *,
    in_scope: bool,
) -> ComponentPlan:
    entry = facts.record.charts.get(name)
    plan = ComponentPlan(
        name,
        "chart",
        fingerprint=chart.fingerprint,
        previous=entry.target.fingerprint if entry and entry.state == "settled" else "",
        changes=chart.changes,
        consumes=chart.consumes,
        deployed=entry.target.images if entry else {},
        base_revision=chart.release.revision if chart.release else 0,
        warnings=chart.warnings,
    )
    if not in_scope:
        return replace(plan, skip="not_targeted")
    refuse_foreign(name, chart, facts.project)
    plan = replace(plan, images=_images_to_run(name, chart, facts, wanted, images))

    forced = _forced(name, wanted)
    building = [image for image in chart.consumes if images[image].steps]
    consuming = [Reason("consumes", image) for image in building]
    reasons = _why_release(chart, entry, facts, plan)
    if forced and (forced.name == "full" or not consuming):
        reasons.insert(0, forced)
    if reasons and all(reason.name == "settling" for reason in reasons) and not consuming:
        return replace(plan, steps=("settle",), reasons=tuple(reasons))
    if reasons or consuming:
        return replace(
            plan,
            steps=("release",),
            reasons=tuple(reasons + consuming),
            only_if_digest_differs=not reasons,
        )
    if chart.not_ready:
        return replace(plan, steps=("settle",), reasons=(Reason("not_ready", chart.not_ready),))
    return replace(plan, skip="unchanged")


def _images_to_run(
    name: str,
    chart: ChartFacts,
    facts: Facts,
    wanted: Request,
    images: dict[str, ComponentPlan],
) -> dict[str, Image]:
    found = {}
    for image in chart.consumes:
        if images[image].steps:
            continue
        kept = _kept(facts, name, image) if wanted.targets else None
        published = kept or images[image].image
        if published is not None:
            found[image] = published
    return found


def _why_release(
    chart: ChartFacts, entry: ChartEntry | None, facts: Facts, plan: ComponentPlan
) -> list[Reason]:
    if entry is None:
        return [_why_no_entry(chart, facts)]
    if chart.release is None:
        return [Reason("release_missing", "Helm has no release of that name any more")]
    if entry.state == "settling":
        if _is_live(chart.release, entry.target) and _wants(plan, entry.target):
            return [Reason("settling", f"{entry.target.transaction} was not finished")]
        return [Reason("unsettled", f"{entry.target.transaction} did not reach Ready")]
    reasons = []
    target = entry.target
    if chart.release.revision != target.revision:
        reasons.append(
            Reason(
                "drift",
                f"Helm revision {chart.release.revision} is not the recorded {target.revision}",
            )
        )
    elif chart.release.status != "deployed":
        reasons.append(Reason("release_not_deployed", f"status {chart.release.status}"))
    elif not chart.manifest_same:
        reasons.append(Reason("drift", "Helm's stored manifest is not the recorded one"))
    if chart.fingerprint != target.fingerprint:
        reasons.append(Reason("chart_changed", summary_of(chart.changes)))
    for image, published in plan.images.items():
        if target.images.get(image) != published:
            reasons.append(Reason("image_changed", image))
    if dropped := sorted(set(target.images) - set(chart.consumes)):
        reasons.append(Reason("image_dropped", ", ".join(dropped)))
    reasons += [Reason("drift", what) for what in chart.drift]
    reasons += [Reason("pods_run_another_digest", pod) for pod in chart.other_pods]
    return reasons


def _why_no_entry(chart: ChartFacts, facts: Facts) -> Reason:
    if facts.recreated:
        return Reason("cluster_recreated", "the cluster is not the one deployed to before")
    if chart.release is not None:
        return Reason("record_missing", "the cluster's record does not know this release")
    return Reason("never_deployed")


def _is_live(release: Release, target: ChartState) -> bool:
    return (
        release.revision == target.base_revision + 1
        and release.status == "deployed"
        and release.labels.get(TRANSACTION_LABEL) == target.transaction
    )


def _wants(plan: ComponentPlan, target: ChartState) -> bool:
    return plan.fingerprint == target.fingerprint and plan.images == target.images


def refuse_foreign(name: str, chart: ChartFacts, project: str) -> None:
    """Refuse a release that carries no label of this project."""
    if chart.release is None:
        return
    owner = chart.release.labels.get(PROJECT_LABEL)
    if owner == project or (owner is None and chart.adopt):
        return
    whose = f"project {owner}'s" if owner else "not one of localloop's"
    raise UsageError(
        "release_not_ours",
        f"the Helm release {chart.release.namespace}/{chart.release.name} is {whose}",
        component=name,
        hint="Choose another release name"
        + ("." if owner else f", or take it over with `adopt: true` under charts.{name}."),
    )


def is_pending(release: Release | None) -> bool:
    """Whether a helm was at work on the release when it was last written."""
    return release is not None and release.status in PENDING


def with_built_images(plan: Plan) -> Plan:
    """The plan with what was built in its charts; a release that would change nothing is dropped.

    That is decided by digest: a chart whose only reason was an image that was to be built, and
    whose pods run these very bytes already, has nothing to do (``digest_already_deployed``).
    """
    components = dict(plan.components)
    for part in plan.with_step("release"):
        built = {
            name: image
            for name in part.consumes
            if (image := components[name].image) is not None and components[name].steps
        }
        complete = replace(part, images={**part.images, **built})
        if part.only_if_digest_differs and complete.images == part.deployed:
            complete = replace(complete, steps=(), reasons=(), skip="digest_already_deployed")
        components[part.name] = complete
    return replace(plan, components=components)
