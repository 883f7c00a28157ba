"""A pytest plugin: a table of what real projects do to us, one row for each of its tests."""

from __future__ import annotations

import pytest

from .parttimes import part_of

OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = sorted(
        (report.nodeid, outcome, report.duration)
        for outcome in OUTCOMES
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport) and part_of(report.nodeid) == "real_world"
    )
    if not rows:
        return
    terminalreporter.section("real projects")
    for nodeid, outcome, seconds in rows:
        terminalreporter.write_line(f"{outcome:8} {seconds:6.1f} s  {sentence_of(nodeid)}")


def sentence_of(nodeid: str) -> str:
    """``test_drift.py::test_a_label[ingress]`` as ``drift: a label [ingress]``."""
    file, _, name = nodeid.partition("::")
    name, _, case = name.partition("[")
    topic = file.rpartition("/")[2].removeprefix("test_").removesuffix(".py")
    words = name.removeprefix("test_").replace("_", " ")
    return f"{topic}: {words}" + (f" [{case}" if case else "")
