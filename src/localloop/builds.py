"""Build and publish: what bake pushed becomes an image with immutable tags."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from .bake import Target
from .baking import bake, together
from .buildtargets import build_target, contexts_of, redactor
from .config import Image as ImageConfig
from .config import Project
from .context import BuildContext, write_build_context
from .errors import LocalloopError
from .plan import ComponentPlan, Image, Plan
from .session import Session
from .steps import Emit


def fingerprint_tag(fingerprint: str) -> str:
    """The tag by which the registry is the build cache: ``fp-`` and 16 hex digits."""
    return f"fp-{fingerprint[:16]}"


def digest_tag(digest: str) -> str:
    """The tag of a digest (``sha256:…``) for charts that only take tags: ``d-`` and 20 hex."""
    return f"d-{digest.removeprefix('sha256:')[:20]}"


def build_images(session: Session, plan: Plan, transaction: str, emit: Emit) -> Plan:
    """Build what the plan builds, publish it, and return the plan with the images in it."""
    building = plan.with_step("build")
    if not building:
        return plan
    hide = redactor(session, [session.project.builds[part.name] for part in building])
    targets = bake_targets(session, plan, transaction)
    started = time.monotonic()

    def on_step(component: str, text: str) -> None:
        emit({"event": "progress", "component": component, "step": "build", "text": text})

    digests, failures = bake(session, targets, on_step, hide)
    emit({"event": "span", "name": "builds_total", "duration_s": time.monotonic() - started})
    started = time.monotonic()
    components = dict(plan.components)
    for part in building:
        if part.name not in digests:
            continue
        published, moved = _publish(session, part, digests[part.name], transaction)
        components[part.name] = replace(part, image=published, moved=moved, changed=True)
        on_step(part.name, f"published {digest_tag(published['digest'])}")
        # Docker's own builder keeps what it pushed; BuildKit's cache does not need it.
        session.docker.remove_image(f"{session.repository(part.name)}:{transaction}")
        if moved:
            on_step(part.name, "inputs moved during the build: used, not recorded")
    emit({"event": "span", "name": "image_push", "duration_s": time.monotonic() - started})
    plan = replace(plan, components=components)
    if failures:
        emit({"event": "plan", "plan": plan.as_dict()})
        raise together(failures)
    return plan


def bake_targets(
    session: Session,
    plan: Plan,
    tag: str,
    *,
    make: Callable[[Project, ImageConfig], BuildContext] = write_build_context,
) -> list[Target]:
    """What the plan builds, to be pushed under ``tag``; ``make`` puts a build context in place."""
    images = [session.project.builds[part.name] for part in plan.with_step("build")]
    return [
        build_target(
            session,
            image,
            make(session.project, image),
            reference=f"{session.repository(image.name)}:{tag}",
            contexts=contexts_of(image, plan),
        )
        for image in images
    ]


def _publish(
    session: Session,
    part: ComponentPlan,
    digests: Mapping[str, str],
    transaction: str,
) -> tuple[Image, bool]:
    """Tag what was pushed; ``moved`` tells that the inputs changed while it was built."""
    registry, name = session.registry, session.repository_name(part.name)
    manifest = registry.manifest(name, transaction)
    if manifest is None or manifest.digest != digests["digest"]:
        held = manifest.digest if manifest else "nothing"
        raise LocalloopError(
            "push_lost",
            f"BuildKit pushed {digests['digest']}, the registry holds {held}",
            component=part.name,
            hint="Run the deploy again.",
        )
    registry.put_manifest(name, digest_tag(manifest.digest), manifest)
    image = session.project.builds[part.name]
    after = session.fingerprint_image(image, fresh=True)
    moved = bool(after.moved) or after.value != part.fingerprint
    if not moved:
        registry.put_manifest(name, fingerprint_tag(part.fingerprint), manifest)
    published = {
        "repository": session.repository(part.name),
        "digest": manifest.digest,
        "config": manifest.config,
    }
    return published, moved
