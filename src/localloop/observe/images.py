"""What is observed about images: their fingerprints, and what the registry holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..fingerprint.components import Fingerprint
from ..fingerprint.explain import explain, load_manifest
from ..record.model import Record
from ..registry.published import PublishedImage
from ..registry.tags import fingerprint_tag
from ..session import Session
from .facts import ImageFacts, Request


def image_facts(session: Session, name: str, record: Record, wanted: Request) -> ImageFacts:
    """The facts about an image. Pulls missing base images if the image is going to be built."""
    image = session.project.images[name]
    entry = record.images.get(name)

    def look() -> tuple[Fingerprint, PublishedImage | None]:
        found = session.fingerprints.of_image(image)
        published = None
        if entry is not None and entry.fingerprint == found.value:
            published = held(session, name, entry.image.digest)
        return found, published or held(session, name, fingerprint_tag(found.value))

    found, published = look()
    if (published is None or named(name, wanted)) and session.fingerprints.pull_bases(image):
        found, published = look()
    recorded = entry is not None and entry.fingerprint == found.value
    changes: dict[str, Any] = {}
    if entry is not None and entry.fingerprint != found.value:
        changes = changes_since(session, entry.fingerprint, found)
    return ImageFacts(
        fingerprint=found.value,
        published=published,
        lost=recorded and published is None,
        changes=changes,
        warnings=found.warnings,
        untracked=found.untracked,
        loads=session.route.loads,
        lacking=_lacking(session, published),
    )


def _lacking(session: Session, published: PublishedImage | None) -> tuple[str, ...]:
    """The stores that the image has to be brought to, by one request for each of them."""
    stores = session.stores
    if published is None or stores is None:
        return ()
    return tuple(place for place in stores.places if not stores.holds(place, published))


def named(name: str, wanted: Request) -> bool:
    """Whether the request asks for it to be built, changed or not."""
    return wanted.mode == "full" or name in wanted.targets


def held(session: Session, name: str, reference: str) -> PublishedImage | None:
    """The image that the registry holds under a tag or digest, if any."""
    found = session.registry.manifest(session.repository_name(name), reference)
    if found is None:
        return None
    return session.published(found, name)


def with_kept(
    session: Session, images: dict[str, ImageFacts], record: Record
) -> dict[str, ImageFacts]:
    """Add, for each chart, the images of its entry that the registry still holds."""
    kept: dict[str, dict[str, PublishedImage]] = {}
    for chart, entry in record.charts.items():
        for name, image in entry.target.images.items():
            found = held(session, name, image.digest) if name in images else None
            if found is not None:
                kept.setdefault(name, {})[chart] = found
    return {name: replace(facts, kept=kept.get(name, {})) for name, facts in images.items()}


def changes_since(session: Session, previous: str, current: Fingerprint) -> dict[str, Any]:
    """How the inputs differ from those behind an earlier fingerprint (see explain.py)."""
    return explain(load_manifest(session.project.root, previous), current)
