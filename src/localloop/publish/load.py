"""Load images into the nodes, where the nodes pull from no registry."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from ..cluster import image_store
from ..errors import LocalloopError
from ..events import Emit
from ..plan.model import Plan
from ..registry.oci_archive import layers_of, oci_archive
from ..registry.published import PublishedImage
from ..session import Session

TRIES = 2
LOAD_SECONDS = 300.0
KNOWN_SECONDS = 10.0
_POLL_SECONDS = 0.2


def load_planned(session: Session, plan: Plan, emit: Emit) -> Plan:
    """Load the images of the plan's step ``load``; the plan with what was done.

    Of a chart whose pods are not ready, a node may lack an image although it keeps its bytes, by
    its name alone. So those are made sure of too. Raises ``LocalloopError`` (``image_not_loaded``).
    """
    started = time.monotonic()
    loading = plan.with_step("load")
    for part in loading:
        if part.image is not None and load_images(session, {part.name: part.image}, emit):
            plan = replace(
                plan, components={**plan.components, part.name: replace(part, changed=True)}
            )
    for part in plan.with_step("settle"):
        load_images(session, part.images, emit)
    if loading:
        emit({"event": "span", "name": "image_load", "duration_s": time.monotonic() - started})
    return plan


def load_images(session: Session, images: Mapping[str, PublishedImage], emit: Emit) -> list[str]:
    """Make sure that every node has these images, by component; the nodes that lacked one.

    A node that knows the image by its name is left as it is. Nothing is done where the nodes pull
    their images. Raises ``LocalloopError`` (``image_not_loaded``, ``image_pulled_before``).
    """
    if not session.route.loads:
        return []
    lacked: list[str] = []
    for name, image in images.items():
        for node in session.nodes:
            if not _knows(session, node, image):
                _load(session, node, name, image, emit)
                lacked.append(node)
            _require_startable(session, node, name, image)
    return lacked


def _require_startable(session: Session, node: str, name: str, image: PublishedImage) -> None:
    """Raise ``image_pulled_before`` if the kubelet would pull the image although it is there."""
    for config in image.configs.values():
        path, repositories = image_store.pulled_as(session.docker, node, config)
        if path and image.repository not in repositories:
            others = ", ".join(sorted(repositories)) or "another name"
            raise LocalloopError(
                f"image_pulled_before:{name}",
                f"{node} has the same image from {others}, so its kubelet does not start it as"
                f" {image.repository} without a pull",
                component=name,
                hint="Have the kubelet forget it, then run again (pods keep running):"
                f" docker exec {node} rm {path}; docker exec {node} systemctl restart kubelet",
            )


def _knows(session: Session, node: str, image: PublishedImage) -> bool:
    found = image_store.known_as(session.docker, node, image.ref)
    return bool(found) and found in image.digests


def _load(session: Session, node: str, name: str, image: PublishedImage, emit: Emit) -> None:
    seen = ""
    for number in range(1, TRIES + 1):
        again = "" if number == 1 else " again"
        emit(_progress(name, f"loads {image.tag} into {node}{again}"))
        try:
            _write(session, node, name, image)
        except LocalloopError as error:
            seen = error.message
            continue
        if _is_known_soon(session, node, image):
            return
        found = image_store.known_as(session.docker, node, image.ref)
        seen = f"its runtime has {found or 'nothing'} under {image.ref}"
    raise LocalloopError(
        f"image_not_loaded:{name}",
        f"{node} did not take the image in {TRIES} tries: {seen}",
        component=name,
        hint=f"See what the node has: docker exec {node} crictl images; and whether its disk is"
        f" full: docker exec {node} df -h /var. Nothing was released.",
    )


def _write(session: Session, node: str, name: str, image: PublishedImage) -> None:
    repository = session.repository_name(name)
    manifest = session.registry.manifest(repository, image.digest)
    if manifest is None:
        raise LocalloopError(
            "registry_lost", f"the registry no longer has {repository}@{image.digest}"
        )
    held = [
        layer for layer in layers_of(manifest) if image_store.has_blob(session.docker, node, layer)
    ]
    tagged = (f"{image.repository}:{tag}" for tag in image.tags)
    names = (*tagged, f"{image.repository}@{image.digest}")
    archive = oci_archive(session.registry, repository, manifest, names, without=held)
    image_store.write(session.docker, node, archive, seconds=LOAD_SECONDS)


def _is_known_soon(session: Session, node: str, image: PublishedImage) -> bool:
    """Whether the kubelet's runtime gets to know it: containerd tells it a moment later."""
    deadline = time.monotonic() + KNOWN_SECONDS
    while not _knows(session, node, image):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _progress(component: str, text: str) -> dict[str, object]:
    return {"event": "progress", "component": component, "step": "load", "text": text}
