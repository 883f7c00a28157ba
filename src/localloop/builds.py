"""Build and publish: what bake pushed becomes an image with immutable tags."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from .bake import Target
from .baking import bake, together
from .cachescope import SCOPE_ARG, cache_scope
from .config import Image as ImageConfig
from .config import UnhashedArg
from .context import write_build_context
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
    targets = [_target(session, part, plan, transaction) for part in building]
    started = time.monotonic()

    def on_step(component: str, text: str) -> None:
        emit({"event": "progress", "component": component, "step": "build", "text": text})

    digests, failures = bake(session, targets, on_step)
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


def _target(session: Session, part: ComponentPlan, plan: Plan, transaction: str) -> Target:
    image = session.project.builds[part.name]
    made = write_build_context(session.project, image)
    return Target(
        component=part.name,
        context=made.context,
        dockerfile=made.dockerfile,
        reference=f"{session.repository(part.name)}:{transaction}",
        platform=image.platform or plan.platform,
        arguments=build_arguments(session, image),
        stage=image.target,
        contexts={name: _context(plan.components[name]) for name in image.needs},
    )


def build_arguments(session: Session, image: ImageConfig) -> dict[str, str]:
    """All arguments of a build: the profile's, its own, and those that no fingerprint knows."""
    return {
        **session.project.profile_args,
        **image.build_args,
        **_scope(session, image),
        **_unhashed(session, image),
    }


def _scope(session: Session, image: ImageConfig) -> dict[str, str]:
    """The compiler caches' scope, for a Dockerfile that declares the argument."""
    if SCOPE_ARG not in session.analysis(image).effective_args({SCOPE_ARG: ""}):
        return {}
    scope = cache_scope(session.project, image, session.environ, platform=session.platform)
    return {SCOPE_ARG: scope}


def _context(needed: ComponentPlan) -> str:
    if "build" in needed.steps:
        return f"target:{needed.name}"
    if needed.image is None:
        raise LocalloopError(
            "need_not_published",
            "another image needs it, and the registry does not hold it",
            component=needed.name,
            hint=f"Name {needed.name} as a target too, or deploy without targets.",
        )
    return f"docker-image://{needed.image['repository']}@{needed.image['digest']}"


def _unhashed(session: Session, image: ImageConfig) -> dict[str, str]:
    found = {}
    for name, source in image.unhashed_args.items():
        value = _unhashed_value(session, image.name, name, source)
        if value is not None:
            found[name] = value
    return found


def _unhashed_value(session: Session, component: str, name: str, source: UnhashedArg) -> str | None:
    if source.env is not None:
        return session.environ.get(source.env)
    if source.command is None:
        return source.value
    from . import tools

    done = tools.run(source.command, timeout=30, cwd=session.project.root)
    if done.returncode:
        raise LocalloopError(
            "unhashed_arg_failed",
            f"the command of unhashed_args.{name} ended with {done.returncode}:"
            f" {done.stderr.strip()[-200:]}",
            component=component,
            hint=f"Run {' '.join(source.command)} in {session.project.root}.",
        )
    return done.stdout.strip()


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
