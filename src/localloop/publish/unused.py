"""Which published images may go: all but the newest ones and those that somebody names (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TRANSACTION = re.compile(r"tx-(\d{8}-\d{6})-[0-9a-f]{6}")
_HEX = re.compile(r"[0-9a-f]{64}")
_OWN = re.compile(r"tx-\d{8}-\d{6}-[0-9a-f]{6}|fp-[0-9a-f]{16}|d-[0-9a-f]{20}")


@dataclass(frozen=True)
class Published:
    """One image of a repository: its digests, its tags, and when it was built (UTC, ISO)."""

    digest: str
    config: str
    tags: tuple[str, ...]
    created: str = ""

    @property
    def age(self) -> str:
        """Sorts by the newest push: the transactions that pushed it, else when it was built."""
        pushes = [match[1] for tag in self.tags if (match := _TRANSACTION.fullmatch(tag))]
        date, _, time = self.created[:19].partition("T")
        return max([*pushes, f"{date}-{time}".replace(":", "").replace("-", "", 2)])

    @property
    def ours(self) -> bool:
        """Whether all its tags are a deploy's: nobody gave it a name of his own."""
        return all(_OWN.fullmatch(tag) for tag in self.tags)


class Named:
    """What records and objects of the cluster name, in whatever field they do it."""

    def __init__(self, texts: Iterable[str]) -> None:
        whole = "\n".join(texts)
        self._hex = set(_HEX.findall(whole))
        self._tags = {f"fp-{value[:16]}" for value in self._hex} | set(_OWN.findall(whole))

    def has(self, image: Published) -> bool:
        digests = {value.removeprefix("sha256:") for value in (image.digest, image.config)}
        return bool(digests & self._hex or self._tags & set(image.tags))


def to_remove(images: Sequence[Published], named: Named, *, keep: int) -> list[Published]:
    """The images of one repository that may go, oldest first."""
    newest_first = sorted(images, key=lambda image: image.age, reverse=True)
    return [image for image in newest_first[keep:] if image.ours and not named.has(image)][::-1]
