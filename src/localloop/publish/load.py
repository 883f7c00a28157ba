"""Bring images to where the nodes find them, where the nodes pull from no registry."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from ..cluster.image_stores import ImageStores
from ..errors import LocalloopError
from ..events import Emit
from ..plan.model import Plan
from ..registry.published import PublishedImage
from ..session import Session

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
    """Make sure that every store has these images, by component; the stores that lacked one.

    A store that knows the image by its names is left as it is. Nothing is done where the nodes pull
    their images. Raises ``LocalloopError`` (``image_not_loaded``, ``image_pulled_before``).
    """
    stores = session.stores
    if stores is None:
        return []
    lacked: list[str] = []
    for component, image in images.items():
        for place in stores.places:
            if not _knows(stores, place, image):
                _load(stores, place, component, image, emit)
                lacked.append(place)
            stores.require_startable(place, component, image)
    return lacked


def _knows(stores: ImageStores, place: str, image: PublishedImage) -> bool:
    return stores.known_as(place, image) in image.digests


def _load(
    stores: ImageStores, place: str, component: str, image: PublishedImage, emit: Emit
) -> None:
    seen: dict[str, None] = {}
    for again in (False, True):
        emit(_progress(component, f"loads {image.tag} into {place}{' again' if again else ''}"))
        try:
            stores.write(place, image, again=again)
        except LocalloopError as error:
            seen[error.message] = None
            continue
        if _is_known_soon(stores, place, image):
            return
        found = stores.known_as(place, image)
        seen[f"its runtime has {found or 'nothing'} under {image.ref}"] = None
    raise LocalloopError(
        f"image_not_loaded:{component}",
        f"{place} did not take the image in two tries: {'; then '.join(seen)}",
        component=component,
        hint=f"{stores.look(place)}. Nothing was released.",
    )


def _is_known_soon(stores: ImageStores, place: str, image: PublishedImage) -> bool:
    """Whether the kubelet's runtime gets to know it: containerd tells it a moment later."""
    deadline = time.monotonic() + KNOWN_SECONDS
    while not _knows(stores, place, image):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _progress(component: str, text: str) -> dict[str, object]:
    return {"event": "progress", "component": component, "step": "load", "text": text}
