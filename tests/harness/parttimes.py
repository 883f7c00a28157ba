"""A pytest plugin: the time of each part of the suite, printed before pytest's closing line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

# What the running phase of a test has spent for a part of its own: (part, seconds).
_apart: list[tuple[str, float]] = []


@contextmanager
def part(name: str) -> Iterator[None]:
    """Count the block's time as the part ``name``, not as the running test's."""
    started = monotonic()
    try:
        yield
    finally:
        _apart.append((name, monotonic() - started))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    report.user_properties += _apart
    _apart.clear()
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
    apart: list[tuple[str, Any]] = report.user_properties
    for name, seconds in apart:
        parts[name] += seconds
        parts[part_of(report.nodeid)] -= seconds


def part_of(nodeid: str) -> str:
    """``e2e`` of ``tests/e2e/test_x.py::test_y``."""
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else parts[0]
