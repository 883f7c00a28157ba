"""Images of the project in what the charts render, by names that could never start a pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..config.model import Chart
from ..config.placeholders import resolve_values
from ..errors import LocalloopError, UsageError
from ..helm import command as helm
from ..helm.manifest import read_objects
from ..kube.documents import DocumentError
from ..readiness.image_proof import split_image
from ..registry.published import PublishedImage
from ..registry.tags import is_ours
from ..session import Session
from .model import ComponentPlan, Plan

_UNKNOWN = "sha256:" + "0" * 64
_SCHEMA = "values don't meet the specifications of the schema(s) in the following chart(s):"
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True)
class _Use:
    """A container's image of the project: the object, the reference, its tag and pull policy.

    The tag is empty for a reference by digest.
    """

    where: str
    name: str
    image: str
    tag: str
    policy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.image}"


def refuse_unservable_images(session: Session, plan: Plan) -> None:
    """Raise ``UsageError`` for images of the project that the nodes could never get.

    ``pull_policy_unserved``: ``Always`` where images are loaded into the nodes, and ``Never`` where
    nodes pull them. ``image_tag_unpublished``: a tag that the registry does not have.
    ``values_invalid``: values that a chart's ``values.schema.json`` forbids.
    The charts to release are rendered; one that cannot be is left to its release. On a cluster of
    localloop's own, a chart whose inputs are those of its last release was seen then.
    """
    for part in plan.with_step("release"):
        if session.provider.owns and part.previous == part.fingerprint:
            continue
        uses = list(_uses(session, plan, part))
        _refuse_policies(part, uses, loads=plan.route.loads)
        _refuse_tags(session, part, uses)


def _refuse_policies(part: ComponentPlan, uses: list[_Use], *, loads: bool) -> None:
    unserved = "Always" if loads else "Never"
    found = [use for use in uses if use.policy == unserved]
    if found:
        what = "loaded into the nodes" if loads else "pulled by the nodes"
        raise UsageError(
            f"pull_policy_unserved:{part.name}",
            f"imagePullPolicy {unserved} cannot be served, because images are {what}:"
            f" {'; '.join(map(str, found))}",
            component=part.name,
            hint="Use `imagePullPolicy: IfNotPresent` (with a tag of localloop's: it never moves).",
        )


def _refuse_tags(session: Session, part: ComponentPlan, uses: list[_Use]) -> None:
    found = [use for use in uses if use.tag and not is_ours(use.tag) and not _has(session, use)]
    if found:
        names = sorted({use.name for use in found})
        raise UsageError(
            f"image_tag_unpublished:{part.name}",
            "images of this project by tags that nobody published, so that no pod could start:"
            f" {'; '.join(map(str, found))}",
            component=part.name,
            hint="Give the chart the tag of what was built:"
            f" {', '.join(f'`${name}.tag` (or .ref, .semver)' for name in names)} in its values.",
        )


def _has(session: Session, use: _Use) -> bool:
    """Whether the registry has that tag; also true if it cannot be asked."""
    try:
        return session.registry.manifest(session.repository_name(use.name), use.tag) is not None
    except LocalloopError:
        return True


def _uses(session: Session, plan: Plan, part: ComponentPlan) -> Iterator[_Use]:
    images = images_of(session, part)
    ours = {session.repository(name): name for name in session.project.images}
    for obj in _rendered(session, session.project.charts[part.name], images):
        where = f"{obj.get('kind')} {(obj.get('metadata') or {}).get('name')}"
        for container in _containers(obj):
            image = container["image"]
            repository, tag, digest = split_image(image)
            if repository in ours:
                named = "" if digest else tag or "latest"
                default = "Always" if named == "latest" else "IfNotPresent"
                policy = container.get("imagePullPolicy") or default
                yield _Use(where, ours[repository], image, named, policy)


def images_of(session: Session, part: ComponentPlan) -> dict[str, PublishedImage]:
    """The images that a chart is to run; those still to be built by a digest of zeros."""
    return {name: part.images.get(name) or _unbuilt(session, name) for name in part.consumes}


def _unbuilt(session: Session, name: str) -> PublishedImage:
    return PublishedImage(session.repository(name), _UNKNOWN, loaded=session.route.by_tag)


def _rendered(
    session: Session, chart: Chart, images: Mapping[str, PublishedImage]
) -> Iterator[dict[str, Any]]:
    project = session.project
    try:
        if chart.manifests or chart.kustomize:
            from ..helm.raw_chart import replaced_objects

            yield from replaced_objects(project, chart, images)
            return
        from ..helm.dependencies import chart_source

        with chart_source(project, chart, fetches=False) as source:
            flags = helm.chart_flags(chart.chart, chart.repo, chart.version) if chart.chart else ()
            done = helm.Helm(session.kubeconfig, session.context).template(
                chart.release,
                source,
                namespace=chart.namespace,
                values=resolve_values(session.fingerprints.values_of(chart), images),
                values_files=[project.root / path for path in chart.values_files],
                chart_flags=flags,
            )
    except LocalloopError:
        return
    if done.returncode:
        _refuse_values(chart, done.stderr)
        return
    with suppress(DocumentError):  # the release says so
        yield from read_objects(done.stdout)


def _refuse_values(chart: Chart, said: str) -> None:
    """Raise ``UsageError`` (``values_invalid``) where Helm's error is what the schema forbids.

    Values that only the cluster has are left to the release.
    """
    _, found, errors = said.partition(_SCHEMA)
    if found and not (chart.generate or chart.keep_values):
        raise UsageError(
            f"values_invalid:{chart.name}",
            f"the values do not fit the schema of {' '.join(errors.split())[:1000]}",
            component=chart.name,
            hint="Correct `values` in localloop.yml, its profile or the values file.",
        )


def _containers(value: Any) -> Iterator[Mapping[str, Any]]:
    """The containers in an object, at whatever depth its kind has them."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in _CONTAINERS and isinstance(item, list):
                yield from (each for each in item if _names_image(each))
            else:
                yield from _containers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _containers(item)


def _names_image(container: Any) -> bool:
    return isinstance(container, Mapping) and isinstance(container.get("image"), str)
