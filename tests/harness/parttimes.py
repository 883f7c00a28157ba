"""A pytest plugin: the time of each part of the suite, printed before pytest's closing line."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    parts: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                parts[part_of(report.nodeid)] += report.duration
    terminalreporter.section("time of each part")
    for part, seconds in sorted(parts.items()):
        terminalreporter.write_line(f"{part:10} {seconds:8.1f} s")


def part_of(nodeid: str) -> str:
    """``e2e`` of ``tests/e2e/test_x.py::test_y``."""
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else parts[0]
