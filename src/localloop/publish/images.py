"""Build and publish: what was pushed gets its immutable tags."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from ..build.bake import Target
from ..build.builder_fit import refuse_unfit_builder
from ..build.command import build
from ..build.retry import Pushed, combined_error, with_needs
from ..build.targets import bake_targets, redactor
from ..config.model import Image
from ..errors import LocalloopError
from ..events import Emit
from ..plan.model import ComponentPlan, Plan
from ..registry.client import Manifest
from ..registry.published import PublishedImage
from ..registry.tags import fingerprint_tag
from ..session import Session
from .check import CORRUPT, broken_blobs, refuse_full, refused, remove_damaged, still_corrupt

OTHER_PLATFORM = "image_platform"


def build_images(session: Session, plan: Plan, transaction: str, emit: Emit) -> Plan:
    """Build what the plan builds, publish it, and return the plan with the images in it.

    ``transaction`` is the tag of the push. Raises ``LocalloopError``: ``build_failed`` for builds
    that failed (the rest is published), ``push_lost``, ``registry_corrupt``, ``disk_full``,
    ``image_platform``, and what an unfit builder or a missing secret raises.
    """
    building = plan.with_step("build")
    if not building:
        return plan
    if any(not session.project.builds[part.name].build for part in building):
        refuse_unfit_builder(session, emit)
    redact = redactor(session, [session.project.builds[part.name] for part in building])
    targets = bake_targets(session, plan, transaction)
    started = time.monotonic()

    def on_step(component: str, text: str) -> None:
        emit({"event": "progress", "component": component, "step": "build", "text": text})

    def run(some: Sequence[Target]) -> tuple[Pushed, list[LocalloopError]]:
        return build(session, some, on_step, redact)

    with _left_in_the_registry_only(session, targets):
        digests, failures = run(targets)
        repaired, digests, failures = push_damaged_again(session, targets, digests, failures, run)
        emit({"event": "span", "name": "builds_total", "duration_s": time.monotonic() - started})
        started = time.monotonic()
        components = dict(plan.components)
        on_nodes = {name for part in components.values() for name in part.consumes}
        on_nodes |= set(session.project.node_files)
        for part in building:
            if part.name not in digests:
                continue
            try:
                published, moved = _publish(
                    session, part, digests[part.name], transaction, on_nodes=part.name in on_nodes
                )
            except LocalloopError as error:
                if error.reason != OTHER_PLATFORM:
                    raise
                failures = [*failures, error]
                continue
            components[part.name] = replace(
                part,
                image=published,
                moved=moved,
                changed=True,
                warnings=(*part.warnings, *repaired.get(part.name, ())),
            )
            on_step(part.name, f"published {published.tag}")
            if moved:
                on_step(part.name, "inputs moved during the build: used, not recorded")
    emit({"event": "span", "name": "image_push", "duration_s": time.monotonic() - started})
    plan = replace(plan, components=components)
    if failures:
        emit({"event": "plan", "plan": plan.as_dict()})
        raise combined_error(failures)
    return plan


@contextmanager
def _left_in_the_registry_only(session: Session, targets: Sequence[Target]) -> Iterator[None]:
    """Remove what Docker's own builder keeps of each push; BuildKit's cache does not need it."""
    try:
        yield
    finally:
        with suppress(LocalloopError):  # what is wrong with Docker has been reported
            for target in targets:
                session.docker.engine.remove_image(target.reference or "")


def push_damaged_again(
    session: Session,
    targets: Sequence[Target],
    digests: Pushed,
    failures: list[LocalloopError],
    run: Callable[[Sequence[Target]], tuple[Pushed, list[LocalloopError]]],
) -> tuple[dict[str, list[str]], Pushed, list[LocalloopError]]:
    """Push damaged images once more: warnings by component, what was pushed, and failures.

    ``targets`` are all of the build, ``digests`` and ``failures`` what came of it, and ``run``
    builds and pushes some of them. Raises ``disk_full``, or ``registry_corrupt`` if the damage
    stays.

    The digests are those of the last push, because Docker's own store compresses layers again.
    """
    broken = _broken(session, digests)
    names = {*broken, *(each.component or "" for each in failures if refused(each))}
    if len(names) > len(broken):
        refuse_full(session)
    removed = remove_damaged(session) if names else []
    if not broken and not removed:
        return {}, digests, failures
    wanted = {one.component for name in names for one in with_needs(targets, name)}
    again, more = run([one for one in targets if one.component in wanted])
    for name, left in _broken(session, again).items():
        raise still_corrupt(session, f"pushing {', '.join(left)} again did not help", name)
    blobs = sorted({*removed, *(blob for found in broken.values() for blob in found)})
    said = [f"{CORRUPT}: {', '.join(blobs)} removed and pushed again"]
    others = [each for each in failures if each.component not in names]
    return dict.fromkeys(names, said), {**digests, **again}, [*others, *more]


def _broken(session: Session, digests: Pushed) -> dict[str, list[str]]:
    """The damaged or missing blobs of what was pushed, by component."""
    found = {
        name: broken_blobs(session.registry, session.repository_name(name), pushed.digest)
        for name, pushed in digests.items()
    }
    return {name: blobs for name, blobs in found.items() if blobs}


def _publish(
    session: Session,
    part: ComponentPlan,
    pushed: PublishedImage,
    transaction: str,
    *,
    on_nodes: bool,
) -> tuple[PublishedImage, bool]:
    """Tag what was pushed; the image, and whether its inputs moved while it was built.

    ``on_nodes``: whether it is used on the nodes.
    """
    registry, name = session.registry, session.repository_name(part.name)
    manifest = registry.manifest(name, transaction)
    if manifest is None or manifest.digest != pushed.digest:
        held = manifest.digest if manifest else "nothing"
        raise LocalloopError(
            "push_lost",
            f"{pushed.digest} was pushed, the registry holds {held}",
            component=part.name,
            hint="Run the deploy again.",
        )
    if on_nodes:
        _refuse_other_platform(session, session.project.builds[part.name], manifest)
    for tag in pushed.tags:
        registry.put_manifest(name, tag, manifest)
    image = session.project.builds[part.name]
    after = session.fingerprints.of_image(image, fresh=True)
    moved = bool(after.moved) or after.value != part.fingerprint
    if not moved:
        registry.put_manifest(name, fingerprint_tag(part.fingerprint), manifest)
    return session.published(manifest, part.name), moved


def _refuse_other_platform(session: Session, image: Image, manifest: Manifest) -> None:
    """Raise ``image_platform`` for an image that no node can run, before it is released."""
    repository = session.repository_name(image.name)
    config = json.loads(session.registry.blob(repository, manifest.config))
    built = f"{config.get('os')}/{config.get('architecture')}"
    wanted = "/".join(session.platform.split("/")[:2])
    if built != wanted:
        raise LocalloopError(
            OTHER_PLATFORM,
            f"it is built for {built}, but the cluster's nodes are {wanted}",
            component=image.name,
            hint="Have its command build it for $LOCALLOOP_PLATFORM."
            if image.build
            else "Remove `platform:` in localloop.yml and --platform from the last stage's FROM.",
        )
