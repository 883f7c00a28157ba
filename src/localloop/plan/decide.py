"""Deciding what to do: one pure function of the request and the facts.

A component is skipped only with proof, and every step has a reason. Nothing here reads a file, a
clock or a socket.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import UsageError
from ..fingerprint.explain import summary_of
from ..observe.facts import ChartFacts, Facts, ImageFacts, NodeFileFacts, Request, is_live
from ..record.model import ChartEntry, ChartState, NodeFileEntry, Record
from ..registry.published import PublishedImage
from .model import ON_A_NEW_CLUSTER, ComponentPlan, FilePlan, Reason, Step


def make_components(facts: Facts, wanted: Request) -> dict[str, ComponentPlan]:
    """The plan of each component: images, node files, charts.

    Raises ``UsageError`` (``release_not_ours``) for a release of another owner.
    """
    released = _charts_in_scope(facts, wanted)
    needed = _needed_images(facts, wanted, released)
    images = {
        name: _plan_image(name, image, facts.record, wanted, needed.get(name, ""))
        for name, image in facts.images.items()
    }
    files = {name: _plan_file(name, file, facts, wanted) for name, file in facts.node_files.items()}
    charts = {
        name: _plan_chart(name, chart, facts, wanted, images, in_scope=name in released)
        for name, chart in facts.charts.items()
    }
    return {**images, **files, **charts}


def _charts_in_scope(facts: Facts, wanted: Request) -> set[str]:
    if not wanted.targets:
        return set(facts.charts)
    return {
        name
        for name, chart in facts.charts.items()
        if name in wanted.targets or set(chart.consumes) & set(wanted.targets)
    }


def _kept(facts: Facts, chart: str, image: str) -> PublishedImage | None:
    return facts.images[image].kept.get(chart)


def _needed_images(facts: Facts, wanted: Request, released: set[str]) -> dict[str, str]:
    """Images that are not targets but that a target's chart needs: name → that chart."""
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
        untracked=image.untracked,
    )
    forced = _forced(name, wanted)
    if wanted.targets and not forced and not needed_by:
        return replace(plan, skip="not_targeted")
    reasons = [forced] if forced else []
    if image.published is None:
        reasons.append(_why_build(image, previous))
        if needed_by:
            reasons.append(Reason("required_by", needed_by))
    if not reasons and image.lacking:
        why = Reason("node_lacks_image", f"{', '.join(image.lacking)} does not hold it")
        return replace(plan, steps=("load",), reasons=(why,))
    if not reasons:
        return replace(plan, skip="unchanged" if previous == image.fingerprint else "in_registry")
    steps: tuple[Step, ...] = ("build", "publish", *(("load",) if image.loads else ()))
    return replace(plan, steps=steps, reasons=tuple(reasons), image=None)


def _forced(name: str, wanted: Request) -> Reason | None:
    if wanted.mode == "full":
        return Reason("full")
    return Reason("targeted") if name in wanted.targets else None


def _why_build(image: ImageFacts | NodeFileFacts, previous: str) -> Reason:
    if image.lost:
        return Reason("registry_lost", "the registry no longer has it")
    if not previous:
        return Reason("never_built")
    if previous == image.fingerprint:
        return Reason("registry_lost", "the registry no longer has it")
    return _changed("inputs_changed", image.changes)


def _changed(reason: str, changes: dict[str, Any]) -> Reason:
    return Reason(reason, summary_of(changes) or "the earlier inputs are not kept here")


def _plan_file(name: str, file: NodeFileFacts, facts: Facts, wanted: Request) -> ComponentPlan:
    entry = facts.record.node_files.get(name)
    previous = entry.fingerprint if entry and entry.put else ""
    plan = ComponentPlan(
        name,
        "node_file",
        fingerprint=file.fingerprint,
        previous=previous,
        changes=file.changes,
        image=file.published,
        warnings=file.warnings,
        untracked=file.untracked,
        file=FilePlan(
            mode=file.mode,
            timeout=file.timeout,
            deployed=entry.sha256 if entry and entry.put else "",
            lost=(*file.other, *file.missing),
            pending=file.pending,
        ),
    )
    forced = _forced(name, wanted)
    if wanted.targets and not forced:
        return replace(plan, skip="not_targeted")
    rolling = file.mode == "rolling-delete"
    needed = _why_put(file, entry, facts)
    if not needed and not forced:
        if file.pending and rolling:
            why = Reason("pending", f"{file.pending} pods use earlier bytes")
            return replace(plan, steps=("reconcile",), reasons=(why,))
        left = (f"{file.pending} pods use earlier bytes (reconcile is none)",)
        return replace(
            plan, skip="unchanged", warnings=file.warnings + (left if file.pending else ())
        )
    reasons = [forced] if forced else []
    if needed and file.published is None:
        reasons.append(_why_build(file, entry.fingerprint if entry else ""))
    reasons += needed
    building = forced is not None or file.published is None
    # Pods that started from the recorded bytes need no restart if a node only lost those.
    restart = rolling and (reasons != [_missing(file)] or file.pending > 0)
    return replace(
        plan,
        steps=(
            *(("build", "publish") if building else ()),
            "put",
            *(("reconcile",) if restart else ()),
        ),
        reasons=tuple(dict.fromkeys(reasons)),
        image=None if building else file.published,
        only_if_digest_differs=wanted.mode != "full"
        and (entry is not None and entry.put and not file.other and not file.missing),
    )


def _why_put(file: NodeFileFacts, entry: NodeFileEntry | None, facts: Facts) -> list[Reason]:
    if facts.new_cluster:
        return [ON_A_NEW_CLUSTER]
    if entry is None:
        if facts.recreated:
            return [Reason("cluster_recreated", "the cluster is not the one deployed to before")]
        if file.other:
            return [Reason("record_missing", "the cluster's record does not know the file there")]
        return [Reason("never_deployed")]
    if not entry.put:
        return [Reason("unsettled", f"{entry.transaction} did not finish the put")]
    reasons = []
    if entry.fingerprint != file.fingerprint:
        reasons.append(_changed("inputs_changed", file.changes))
    if file.other:
        reasons.append(Reason("node_changed", f"{', '.join(file.other)} holds other bytes"))
    if file.missing:
        reasons.append(_missing(file))
    return reasons


def _missing(file: NodeFileFacts) -> Reason:
    return Reason("node_lost", f"{', '.join(file.missing)} no longer holds it")


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
    building = [image for image in chart.consumes if "build" in images[image].steps]
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
) -> dict[str, PublishedImage]:
    found = {}
    for image in chart.consumes:
        if "build" in images[image].steps:
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
        said = "Helm no longer has a release of that name"
        if entry.state == "settling" and entry.last_good is None and not entry.target.revision:
            said = f"{entry.target.transaction} did not get as far as a release"
        return [Reason("release_missing", said)]
    if entry.state == "settling":
        if is_live(chart.release, entry.target) and _wants(plan, entry.target):
            unfinished = Reason("settling", f"{entry.target.transaction} was not finished")
            return [unfinished, *(Reason("drift", what) for what in chart.drift)]
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
        reasons.append(_changed("chart_changed", chart.changes))
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


def _wants(plan: ComponentPlan, target: ChartState) -> bool:
    return plan.fingerprint == target.fingerprint and plan.images == target.images


def refuse_foreign(name: str, chart: ChartFacts, project: str) -> None:
    """Raise ``UsageError`` (``release_not_ours``) for a release without this project's label."""
    release = chart.release
    if release is None or release.belongs_to(project, adopt=chart.adopt):
        return
    raise UsageError(
        "release_not_ours",
        f"the Helm release {release.place} is {release.whose}",
        component=name,
        hint="Choose another release name"
        + ("." if release.owner else f", or take it over with `adopt: true` under charts.{name}."),
    )
