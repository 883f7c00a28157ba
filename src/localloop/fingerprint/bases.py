"""Base images: which bytes a ``FROM`` means on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import LocalloopError
from ..system.docker import Docker

PULL_SECONDS = 600.0
_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})\Z")


class Bases:
    """Digests by reference, each asked for once."""

    def __init__(self, docker: Docker | None) -> None:
        """``docker`` is None where it cannot be asked."""
        self._docker = docker
        self._local: dict[str, str] = {}

    def forget(self) -> None:
        """Ask again: a tag may have moved."""
        self._local.clear()

    def local(self, reference: str) -> str:
        """The id of the image in Docker's store; empty where it has none or cannot be asked.

        A reference that names a digest is that digest.
        """
        pinned = _PINNED.search(reference)
        if pinned:
            return pinned[1]
        if self._docker is not None and reference not in self._local:
            found = self._docker.inspect_image(reference)
            self._local[reference] = str(found["Id"]) if found else ""
        return self._local.get(reference, "")

    def missing(self, references: Iterable[str]) -> list[str]:
        """Those of them that Docker's store does not hold."""
        return [reference for reference in references if not self.local(reference)]

    def pull(self, references: Iterable[str], component: str) -> None:
        """Pull what is missing, so that its digest is known before the build.

        Raises ``base_image_missing`` for an image that is nowhere to be had.
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
