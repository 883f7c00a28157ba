"""Base images: which bytes a ``FROM`` means on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import LocalloopError
from ..system.docker import Docker

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
        """Pull what is missing, so that its digest is known before the build."""
        for reference in references:
            pull(reference, component)
        self.forget()


def pull(reference: str, component: str) -> None:
    """Pull one base image."""
    from ..system import tools
    from ..system.docker import DOCKER_HINT

    docker = tools.find("docker", hint=DOCKER_HINT)
    done = tools.run([docker, "pull", "--quiet", "--", reference], timeout=600)
    if done.returncode:
        raise LocalloopError(
            "base_image_missing",
            f"base image {reference} is not in Docker and cannot be pulled:"
            f" {done.stderr.strip()[-300:]}",
            component=component,
            hint=f"Pull or load {reference}, or choose another base image.",
        )
