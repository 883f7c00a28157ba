"""Whether a verdict is right, and if not, how it is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from localloop.readiness.verdict import Verdict

FALSE_READY, FALSE_FAILED, OTHER = "false Ready", "false Failed", "other"


def mistake(
    verdict: Verdict,
    state: str,
    reason: str,
    suspects: Sequence[str] = (),
    warns: str | None = None,
) -> str:
    """How the verdict is wrong, or an empty string.

    A wrong reason, warning or list of suspects is a mistake too; ``warns`` is a part of the
    warning, None if there must be none.
    """
    if verdict.ready and state not in ("ready", "not_gated"):
        return FALSE_READY
    if verdict.state == "failed" and state != "failed":
        return FALSE_FAILED
    found = tuple(suspect.reason for suspect in verdict.suspects)
    right = (
        verdict.state == state
        and verdict.reason == reason
        and found == tuple(suspects)
        and (
            not verdict.warnings
            if warns is None
            else any(warns in warning for warning in verdict.warnings)
        )
    )
    return "" if right else OTHER
