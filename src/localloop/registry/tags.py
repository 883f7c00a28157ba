"""The tags that a deploy gives to images. They are derived from the content and never move.

Besides these two, each push sets its transaction's id as a tag.
"""

from __future__ import annotations

import re

_OURS = re.compile(r"tx-\d{8}-\d{6}-[0-9a-f]{6}|fp-[0-9a-f]{16}|(?:0\.0\.0-)?d-[0-9a-f]{20}")


def fingerprint_tag(fingerprint: str) -> str:
    """The tag by which the registry serves as build cache: ``fp-`` and 16 hex digits."""
    return f"fp-{fingerprint[:16]}"


def digest_tag(digest: str) -> str:
    """The tag of a digest (``sha256:…``), for charts that only take tags: ``d-`` and 20 hex."""
    return f"d-{digest.removeprefix('sha256:')[:20]}"


def semver_tag(digest: str) -> str:
    """The same as a semantic version, a prerelease of 0.0.0, for charts that read the tag as one.

    It sorts below every released version, and says nothing about which image is newer.
    """
    return f"0.0.0-{digest_tag(digest)}"


def digest_tags(digest: str) -> tuple[str, str]:
    """Both tags of a digest. Each image has them from its push on."""
    return digest_tag(digest), semver_tag(digest)


def is_digest_tag(tag: str) -> bool:
    """Whether it is one of ``digest_tags``."""
    return tag.startswith(("d-", "0.0.0-d-")) and is_ours(tag)


def is_ours(tag: str) -> bool:
    """Whether a deploy set this tag, and not a user."""
    return _OURS.fullmatch(tag) is not None


def our_tags_in(text: str) -> set[str]:
    """The tags of deploys that occur anywhere in a text."""
    return set(_OURS.findall(text))
