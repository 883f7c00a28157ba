"""Is a verdict the right one, and if not, how is it wrong?"""

from __future__ import annotations

from localloop.gate.verdict import Verdict

FALSE_READY, FALSE_FAILED, OTHER = "false Ready", "false Failed", "other"


def mistake(
    verdict: Verdict,
    state: str,
    reason: str,
    suspects: list[str] | None = None,
    warns: str | None = None,
) -> str:
    """How the verdict is wrong, or an empty string; also a wrong reason or warning is a mistake.

    ``reason`` is the verdict's or, where suspects are not given, one of them; ``warns`` a part of
    its warning, None where it must not warn.
    """
    if verdict.ready and state not in ("ready", "not_gated"):
        return FALSE_READY
    if verdict.state == "failed" and state != "failed":
        return FALSE_FAILED
    found = [suspect.reason for suspect in verdict.suspects]
    right = (
        verdict.state == state
        and reason in ([verdict.reason] if suspects is not None else [verdict.reason, *found])
        and (suspects is None or found == suspects)
        and (
            not verdict.warnings
            if warns is None
            else any(warns in warning for warning in verdict.warnings)
        )
    )
    return "" if right else OTHER
