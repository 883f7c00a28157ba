"""Base images: which bytes a ``FROM`` stands for on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import LocalloopError
from ..system.docker import Docker

PULL_SECONDS = 600.0
_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})\Z")


class Bases:
    """The digests of base images by reference; Docker is asked once for each."""

    def __init__(self, docker: Docker | None) -> None:
        """``docker`` is None if it does not answer."""
        self._docker = docker
        self._local: dict[str, str] = {}

    def forget(self) -> None:
        """Forget the digests, because a tag may have moved; Docker is asked again."""
        self._local.clear()

    def local(self, reference: str) -> str:
        """The id of the image in Docker's store; empty if it is not there, or without Docker.

        For a reference by digest, that digest.
        """
        pinned = _PINNED.search(reference)
        if pinned:
            return pinned[1]
        if self._docker is not None and reference not in self._local:
            found = self._docker.inspect_image(reference)
            self._local[reference] = str(found["Id"]) if found else ""
        return self._local.get(reference, "")

    def missing(self, references: Iterable[str]) -> list[str]:
        """The references that Docker's store does not hold."""
        return [reference for reference in references if not self.local(reference)]

    def pull(self, references: Iterable[str], component: str) -> None:
        """Pull these images, so that their digests are known before the build.

        Raises ``base_image_missing`` for an image that cannot be pulled.
        """
        for reference in references:
            self._pull(reference, component)
        self.forget()

    def _pull(self, reference: str, component: str) -> None:
        if self._docker is None:
            return
        try:
            self._docker.engine.pull(reference, timeout=PULL_SECONDS)
        except LocalloopError as error:
            if error.reason != "docker_error":
                raise
            raise LocalloopError(
                "base_image_missing",
                f"base image {reference} is not in Docker and cannot be pulled: {error.message}",
                component=component,
                hint=f"Pull or load {reference}, or choose another base image.",
            ) from error
