"""The benchmark of fingerprints fails where an aim is missed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.fingerprint.__main__ import MEMORY, Case, missed


def cases(seconds: float, aim: str) -> dict[str, Case]:
    other = Case("other", lambda: (1.0, 1.0), samples=[(1.0, 1.0)] * 3)
    one = Case("one", lambda: (1.0, 1.0), "other", aim, samples=[(seconds, 9.0)] * 3)
    return {"other": other, "one": one}


@pytest.mark.parametrize(
    ("seconds", "aim", "peak", "said"),
    [
        (1.0, "1.1", 10.0, []),
        (1.1, "1.1", 10.0, []),
        (9.0, "", 10.0, []),
        (1.11, "1.1", 10.0, ["one: 1.11 (aim: at most 1.1)"]),
        (1.0, "1.1", float(MEMORY), ["peak memory 300 MiB (aim: below 300)"]),
    ],
)
def test_missed(seconds: float, aim: str, peak: float, said: list[str]) -> None:
    assert missed(cases(seconds, aim), peak) == said
