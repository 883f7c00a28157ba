"""Which published images are unused: not among the newest, and nothing refers to them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..registry.published import PublishedImage
from ..registry.tags import fingerprint_tag, is_ours, our_tags_in

_TRANSACTION = re.compile(r"tx-(\d{8}-\d{6})-[0-9a-f]{6}")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class TaggedImage:
    """One image of a repository, its tags, and when it was built (UTC, ISO 8601)."""

    image: PublishedImage
    tags: tuple[str, ...]
    created: str = ""

    @property
    def age(self) -> str:
        """A key that sorts by the newest push, by its transaction, else by when it was built."""
        pushes = [match[1] for tag in self.tags if (match := _TRANSACTION.fullmatch(tag))]
        date, _, time = self.created[:19].partition("T")
        return max([*pushes, f"{date}-{time}".replace(":", "").replace("-", "", 2)])

    @property
    def ours(self) -> bool:
        """Whether deploys made all its tags: no user gave it one."""
        return all(map(is_ours, self.tags))


class References:
    """The images that records and objects of the cluster refer to, in whatever field."""

    def __init__(self, texts: Iterable[str]) -> None:
        whole = "\n".join(texts)
        self._hex = set(_HEX.findall(whole))
        self._tags = set(map(fingerprint_tag, self._hex)) | our_tags_in(whole)

    def include(self, tagged: TaggedImage) -> bool:
        """Whether one of the image's digests or tags occurs in the texts."""
        digests = {value.removeprefix("sha256:") for value in tagged.image.digests}
        return bool(digests & self._hex or self._tags & set(tagged.tags))


def to_remove(
    images: Sequence[TaggedImage], references: References, *, keep: int
) -> list[TaggedImage]:
    """The images of one repository to remove, oldest first; the newest ``keep`` stay."""
    newest_first = sorted(images, key=lambda tagged: tagged.age, reverse=True)
    unused = [
        tagged for tagged in newest_first[keep:] if tagged.ours and not references.include(tagged)
    ]
    return unused[::-1]
