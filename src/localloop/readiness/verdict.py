"""A verdict on one object, and the case that it is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..kube.objects import Object, ObjectRef, Snapshot, ref_of
from .pod_rule import Suspect, Thresholds

READY, PROGRESSING, FAILED, NOT_GATED = "ready", "progressing", "failed", "not_gated"
Expected = Mapping[str, frozenset[str]]
Problem = tuple[str, str]
"""A stable reason name, and the detail for people."""


@dataclass(frozen=True)
class Verdict:
    """One object at one moment. ``reason`` is a stable name (empty when ready)."""

    state: str
    reason: str
    detail: str
    ref: ObjectRef
    warnings: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing is left to wait for (also where the kind has no readiness)."""
        return self.state in (READY, NOT_GATED)


@dataclass(frozen=True)
class Case:
    """An object with all that its verdict may look at. ``expected`` as in ``image_proof``."""

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
        return self.obj.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        """Its status, or an empty mapping."""
        return self.obj.get("status") or {}

    def count(self, name: str) -> int:
        """A number of its status; 0 where it is absent."""
        return int(self.status.get(name) or 0)

    def ready(self, detail: str = "ready", *warnings: str) -> Verdict:
        """Nothing is left to wait for."""
        return Verdict(READY, "", detail, self.ref, warnings)

    def progressing(self, reason: str, detail: str) -> Verdict:
        """Not ready yet."""
        return Verdict(PROGRESSING, reason, detail, self.ref)

    def failed(self, reason: str, detail: str) -> Verdict:
        """Waiting will not help."""
        return Verdict(FAILED, reason, detail, self.ref)


def with_suspects(verdict: Verdict, suspects: Sequence[Suspect]) -> Verdict:
    """The verdict with its suspects; failed where one of them needs no time."""
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
