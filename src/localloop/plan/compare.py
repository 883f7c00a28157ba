"""Compare what was built with what runs, by digest: equal bytes change nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .model import ComponentPlan, Plan

SAME = "digest_already_deployed"


def with_built_bytes(plan: Plan, files: Mapping[str, str]) -> Plan:
    """The plan with the built images in its charts, without steps that would change nothing.

    ``files`` maps the node files to put to the sha256 of their bytes. A step that is only needed
    for new bytes is dropped if those bytes run already (``digest_already_deployed``).
    """
    components = dict(plan.components)
    for part in plan.with_step("release"):
        components[part.name] = _chart(part, components)
    for part in plan.with_step("put"):
        components[part.name] = _file(part, files[part.name])
    return replace(plan, components=components)


def _chart(part: ComponentPlan, components: Mapping[str, ComponentPlan]) -> ComponentPlan:
    built = {
        name: image
        for name in part.consumes
        if (image := components[name].image) is not None and "build" in components[name].steps
    }
    complete = replace(part, images={**part.images, **built})
    if part.only_if_digest_differs and complete.images == part.deployed:
        return replace(complete, steps=(), reasons=(), skip=SAME)
    return complete


def _file(part: ComponentPlan, sha256: str) -> ComponentPlan:
    known = replace(part, file=replace(part.file, sha256=sha256))
    if not (part.only_if_digest_differs and sha256 == part.file.deployed):
        return known
    kept = {"build", "publish"}
    if part.file.pending and part.file.mode == "rolling-delete":
        kept.add("reconcile")
    return replace(known, steps=tuple(step for step in part.steps if step in kept), skip=SAME)
