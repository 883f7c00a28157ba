"""The names of a published image, from the plain data in plans and the record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .published import PublishedImage

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# A host, perhaps with a port, and a path; a tag or a digest does not belong to it.
_REPOSITORY = re.compile(r"[^\s/@]+(?:/[^\s/:@]+)+")


def image_reference(image: Any) -> str:
    """``REPOSITORY@sha256:…``, which names exactly these bytes.

    ``image`` has ``repository`` and ``digest``; otherwise raises ``UsageError``.
    """
    return _published(image).ref


def image_tag(image: Any) -> str:
    """The tag ``d-…`` under which the image is published, for charts that only take tags.

    ``image`` has ``repository`` and ``digest``; otherwise raises ``UsageError``.
    """
    return _published(image).tag


def _published(image: Any) -> PublishedImage:
    repository, digest = (_text(image, key) for key in ("repository", "digest"))
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError("unexpected_data", f"{repository!r} is not a repository")
    if not _DIGEST.fullmatch(digest):
        raise UsageError("unexpected_data", f"{digest!r} is not a sha256 digest")
    return PublishedImage(repository, digest)


def _text(image: Any, key: str) -> str:
    value = image.get(key) if isinstance(image, Mapping) else None
    if not isinstance(value, str) or not value:
        raise UsageError("unexpected_data", f"not a published image: it has no {key}")
    return value
