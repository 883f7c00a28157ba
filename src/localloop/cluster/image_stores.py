"""The stores that have to hold an image before its pods can start, where nodes pull nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..registry.published import PublishedImage


class ImageStores(Protocol):
    """One kind of stores: those of the nodes, or this Docker's own, which the nodes share.

    Each is called by a ``place``, one of ``places``. Every method may raise ``docker_unreachable``
    and ``docker_error``.
    """

    @property
    def places(self) -> Sequence[str]:
        """The stores, by names for people."""

    def holds(self, place: str, image: PublishedImage) -> bool:
        """Whether the image was not removed since it was brought there. One light request."""

    def known_as(self, place: str, image: PublishedImage) -> str:
        """The digest that a pod gets for the image's names; empty if it would get nothing."""

    def write(self, place: str, image: PublishedImage, *, again: bool) -> None:
        """Bring the image there from the registry, within a bound, or raise ``LocalloopError``.

        ``again``: a first try has not done it, so another way is taken if there is one.
        """

    def require_startable(self, place: str, component: str, image: PublishedImage) -> None:
        """Raise ``LocalloopError`` if a pod could not start although the image is there."""

    def look(self, place: str) -> str:
        """How somebody sees what is wrong there, with the commands."""
