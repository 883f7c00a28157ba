"""The tags of published images: both are of the content, so neither ever moves."""

from __future__ import annotations


def fingerprint_tag(fingerprint: str) -> str:
    """The tag by which the registry is the build cache: ``fp-`` and 16 hex digits."""
    return f"fp-{fingerprint[:16]}"


def digest_tag(digest: str) -> str:
    """The tag of a digest (``sha256:…``) for charts that only take tags: ``d-`` and 20 hex."""
    return f"d-{digest.removeprefix('sha256:')[:20]}"


Image = dict[str, str]
