"""The tags that a deploy gives to images. They are derived from the content and never move.

Besides these two, each push sets its transaction's id as a tag.
"""

from __future__ import annotations

import re

_OURS = re.compile(r"tx-\d{8}-\d{6}-[0-9a-f]{6}|fp-[0-9a-f]{16}|d-[0-9a-f]{20}")


def fingerprint_tag(fingerprint: str) -> str:
    """The tag by which the registry serves as build cache: ``fp-`` and 16 hex digits."""
    return f"fp-{fingerprint[:16]}"


def digest_tag(digest: str) -> str:
    """The tag of a digest (``sha256:…``), for charts that only take tags: ``d-`` and 20 hex."""
    return f"d-{digest.removeprefix('sha256:')[:20]}"


def is_digest_tag(tag: str) -> bool:
    """Whether ``digest_tag`` made this tag."""
    return tag.startswith("d-") and is_ours(tag)


def is_ours(tag: str) -> bool:
    """Whether a deploy set this tag, and not a user."""
    return _OURS.fullmatch(tag) is not None


def our_tags_in(text: str) -> set[str]:
    """The tags of deploys that occur anywhere in a text."""
    return set(_OURS.findall(text))
