"""What the gate tells the record."""

from __future__ import annotations

from localloop.gate.settle import completed_jobs


def seen(ref: str, state: str) -> dict[str, str]:
    return {"ref": ref, "state": state}


def test_only_jobs_that_were_seen_complete_are_noted() -> None:
    gate = {
        "objects": [
            seen("batch/v1/Job/hello/once", "ready"),
            seen("batch/v1/Job/hello/running", "progressing"),
            seen("apps/v1/Deployment/hello/web", "ready"),
        ]
    }
    assert completed_jobs(gate) == {"batch/v1/Job/hello/once"}
    assert completed_jobs({}) == frozenset()
