"""A pytest plugin: the time of each part of the suite, printed before pytest's closing line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

from . import part


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    report.user_properties += part.taken()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    parts: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                _add(parts, report)
    terminalreporter.section("time of each part")
    for name, seconds in sorted(parts.items()):
        terminalreporter.write_line(f"{name:24} {seconds:8.1f} s")


def _add(parts: defaultdict[str, float], report: pytest.TestReport) -> None:
    parts[part_of(report.nodeid)] += report.duration
    for name, seconds in report.user_properties:
        assert isinstance(seconds, float)
        parts[name] += seconds
        parts[part_of(report.nodeid)] -= seconds


def part_of(nodeid: str) -> str:
    """``e2e`` of ``tests/e2e/test_x.py::test_y``."""
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else parts[0]
