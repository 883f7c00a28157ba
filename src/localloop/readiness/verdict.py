"""The verdict on one object, and the case that it is based on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..kube.fields import as_int, map_at
from ..kube.objects import Object, ObjectRef, Snapshot, ref_of
from .pod_rule import Suspect, Thresholds

READY, PROGRESSING, FAILED, NOT_GATED = "ready", "progressing", "failed", "not_gated"
Expected = Mapping[str, frozenset[str]]
"""The digests (``sha256:…``) allowed for an image, by repository."""
Problem = tuple[str, str]
"""A stable reason name, and a detail for people."""


@dataclass(frozen=True)
class Verdict:
    """One object at one moment.

    ``state`` is ``ready``, ``progressing``, ``failed`` or ``not_gated``; ``reason`` a stable name,
    empty when ready.
    """

    state: str
    reason: str
    detail: str
    ref: ObjectRef
    warnings: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether there is nothing to wait for: it is ready, or not gated."""
        return self.state in (READY, NOT_GATED)


@dataclass(frozen=True)
class EndedJob:
    """A Job that has ended, and may be deleted since. ``failure`` is empty if it completed."""

    uid: str
    failure: str = ""


@dataclass(frozen=True)
class Case:
    """An object, and everything that its verdict may depend on."""

    obj: Object
    view: Snapshot
    expected: Expected
    thresholds: Thresholds
    ref: ObjectRef = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", ref_of(self.obj))

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec, or an empty mapping."""
        return map_at(self.obj, "spec")

    @property
    def status(self) -> Mapping[str, Any]:
        """Its status, or an empty mapping."""
        return map_at(self.obj, "status")

    def count(self, name: str) -> int:
        """A number in its status; 0 if absent."""
        return as_int(self.status.get(name))

    def ready(self, detail: str = "ready", *warnings: str) -> Verdict:
        """A verdict: nothing is left to wait for."""
        return Verdict(READY, "", detail, self.ref, warnings)

    def progressing(self, reason: str, detail: str) -> Verdict:
        """A verdict: not ready yet."""
        return Verdict(PROGRESSING, reason, detail, self.ref)

    def failed(self, reason: str, detail: str) -> Verdict:
        """A verdict: waiting will not help."""
        return Verdict(FAILED, reason, detail, self.ref)


def with_suspects(verdict: Verdict, suspects: Sequence[Suspect]) -> Verdict:
    """The verdict with its suspects; failed if one of them is fatal at once."""
    for suspect in suspects:
        if suspect.hold <= 0:
            return replace(
                verdict,
                state=FAILED,
                reason=suspect.reason,
                detail=suspect.detail,
                suspects=tuple(suspects),
            )
    return replace(verdict, suspects=tuple(suspects))
