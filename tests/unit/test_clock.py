"""When a process started, between its parent's stopwatch and its own first line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localloop.system import clock

TICK = 0.01
WITH_PROC = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="only Linux has /proc/self/stat"
)
# The clock is imported late: after 0.1 s of work and 0.1 s of waiting.
CHILD = """
import json, time
first = time.monotonic()
while time.process_time() < 0.1: pass
time.sleep(0.1)
from localloop.system import clock
imported = time.monotonic()
print(json.dumps([first, imported, clock.process_started({stat})]))
"""


def child(stat: str = "") -> tuple[float, float, float, float]:
    """When it was started, when its first line and its import came, when it says it started.

    All processes of a machine have one monotonic clock.
    """
    begun = time.monotonic()
    code = CHILD.format(stat=stat)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, imported, found = json.loads(done.stdout)
    return begun, first, imported, found


@WITH_PROC
def test_on_linux_it_is_the_start_of_the_process() -> None:
    begun, first, _, found = child()
    assert begun - TICK <= found < first


def test_elsewhere_it_is_the_import_less_the_work_before() -> None:
    begun, _, imported, found = child("clock.Path('/nonexistent')")
    assert begun <= found <= imported - 0.1


@pytest.mark.parametrize("stat", ["", "1 (a) b c) S 1 2", "1 (python) S" + " x" * 40])
def test_what_cannot_be_read_is_not_believed(stat: str, tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(stat)
    assert clock.process_started(tmp_path / "stat") == clock.IMPORTED


@WITH_PROC
def test_a_name_may_hold_anything(tmp_path: Path) -> None:
    expected = clock.process_started()
    rest = Path("/proc/self/stat").read_text().rpartition(")")[2]
    (tmp_path / "stat").write_text(f"1 (a) S 1 (b){rest}")
    assert clock.process_started(tmp_path / "stat") == pytest.approx(expected, abs=TICK)
