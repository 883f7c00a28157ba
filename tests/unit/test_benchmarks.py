"""The benchmarks still fit the code that they measure, and fail where an aim is missed."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.fingerprint.__main__ import MEMORY, Case, missed

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize(
    "path", sorted(path.relative_to(ROOT) for path in ROOT.glob("benchmarks/*/*.py")), ids=str
)
def test_what_it_imports_exists(path: Path) -> None:
    importlib.import_module(".".join(path.with_suffix("").parts))


def test_the_probe_finds_all_that_it_wraps(tmp_path: Path) -> None:
    probe = ROOT / "benchmarks/loop/probe.py"
    ran = subprocess.run(
        [sys.executable, probe, tmp_path / "probe.json", "--version"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
