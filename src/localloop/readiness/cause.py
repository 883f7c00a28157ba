"""A cause of failures, recognised in what the cluster and the container report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .reasons import FailureReason

WAITING, TERMINATED, LOG, EVENT = "waiting", "ended", "log", "event"


@dataclass(frozen=True)
class Cause(FailureReason):
    """A failure reason with the ``pattern`` that identifies it.

    ``sources`` are the parts of the evidence to search (``waiting``, ``terminated``, ``log``,
    ``event``); logs count only for containers that have terminated. ``only`` limits the cause to
    these reasons; empty means any.
    """

    sources: tuple[str, ...]
    pattern: re.Pattern[str]
    only: tuple[str, ...] = ()

    def explains(self, head: str, texts: Mapping[str, Iterable[str]]) -> bool:
        """Whether one of the texts matches; ``head`` is the reason without its subject.

        ``texts`` has an entry for every source.
        """
        if self.only and head not in self.only:
            return False
        return any(self.pattern.search(text) for source in self.sources for text in texts[source])


def cause(
    name: str,
    sources: tuple[str, ...],
    pattern: str,
    meaning: str,
    next_step: str,
    *,
    only: tuple[str, ...] = (),
) -> Cause:
    """A cause whose pattern is not case-sensitive."""
    return Cause(name, meaning, next_step, sources, re.compile(pattern, re.IGNORECASE), only)
