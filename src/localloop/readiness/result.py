"""What a gate found, as plain data for the journal and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..kube.objects import ObjectRef

if TYPE_CHECKING:
    from .diagnosis import Diagnosis

READINESS_TIMEOUT = "readiness.timeout"


@dataclass(frozen=True)
class ObjectResult:
    """One object at the gate's end; times are seconds since the gate began.

    ``touched``: this run changed it. ``verdict_s``: when it had been ready for its window.
    """

    ref: ObjectRef
    state: str
    reason: str
    detail: str
    touched: bool = False
    first_ready_s: float | None = None
    verdict_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "ref": str(self.ref),
            "state": self.state,
            "reason": self.reason,
            "detail": self.detail,
            "touched": self.touched,
            "first_ready_s": _round(self.first_ready_s),
            "verdict_s": _round(self.verdict_s),
        }


@dataclass(frozen=True)
class GateResult:
    """``status`` is ``ready``, ``failed``, or ``unknown`` if the API server could not be asked.

    ``reason`` is a stable name with its subject (``crash_loop:web``, ``timeout:ready 1/2``);
    ``subject`` the workload it is about. ``first_ready_s`` is when all objects were first ready
    at once, ``duration_s`` when that was proven, ``deadline_s`` the deadline that applied (all in
    seconds) and ``deadline_by`` what set it. ``diagnosis`` explains a failure to people.
    """

    status: str
    reason: str = ""
    subject: str = ""
    detail: str = ""
    objects: tuple[ObjectResult, ...] = ()
    warnings: tuple[str, ...] = ()
    not_gated: tuple[str, ...] = ()
    evidence: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    first_ready_s: float | None = None
    duration_s: float = 0.0
    deadline_s: float = 0.0
    deadline_by: str = ""
    diagnosis: Diagnosis | None = None

    @property
    def ready(self) -> bool:
        """Whether the gate passed."""
        return self.status == "ready"

    @property
    def ref(self) -> str:
        """The object that a failure is about, as text; empty if there is none."""
        return str(self.evidence[0]["ref"]) if self.evidence else ""

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for the journal and the report."""
        return {
            "status": self.status,
            "reason": self.reason,
            "subject": self.subject,
            "detail": self.detail,
            "objects": [entry.as_dict() for entry in self.objects],
            "warnings": list(self.warnings),
            "not_gated": list(self.not_gated),
            "evidence": list(self.evidence),
            "first_ready_s": _round(self.first_ready_s),
            "duration_s": _round(self.duration_s),
            "deadline_s": _round(self.deadline_s),
            "deadline_by": self.deadline_by,
            "diagnosis": self.diagnosis.as_dict() if self.diagnosis else None,
        }


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
