"""This Docker's own store, where nodes whose containers it runs find their images."""

from __future__ import annotations

from collections.abc import Sequence

from ..registry.published import PublishedImage
from ..system.docker import Docker

PULL_SECONDS = 300.0


class DaemonStore:
    """The one store; an ``ImageStores``. Docker pulls each image from localloop's registry."""

    places: Sequence[str] = ("this Docker",)

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    def holds(self, place: str, image: PublishedImage) -> bool:
        """Whether it has the image by its digest and its tags. One light request."""
        return self.known_as(place, image) in image.digests

    def known_as(self, place: str, image: PublishedImage) -> str:
        """The id that it has under the digest and every tag; empty if a name is missing.

        The id is the configuration's digest, and the manifest's where containerd keeps the images.
        """
        found = self._docker.inspect_image(f"{image.repository}@{image.digest}") or {}
        names = {f"{image.repository}:{tag}" for tag in image.tags}
        return str(found.get("Id") or "") if names <= {*(found.get("RepoTags") or ())} else ""

    def write(self, place: str, image: PublishedImage, *, again: bool) -> None:
        """Pull it by its digest, and tag it."""
        engine, reference = self._docker.engine, f"{image.repository}@{image.digest}"
        engine.pull(reference, timeout=PULL_SECONDS, anonymous=True)
        for tag in image.tags:
            engine.tag(reference, image.repository, tag)

    def require_startable(self, place: str, component: str, image: PublishedImage) -> None:
        """Nothing: what a kubelet insists on pulling, this Docker pulls by that name."""

    def look(self, place: str) -> str:
        """How to see what it has."""
        return (
            "See whether Docker reaches localloop's registry (`docker pull` of that reference), and"
            " whether its disk is full: docker system df"
        )
