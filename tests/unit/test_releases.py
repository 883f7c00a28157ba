"""In which order charts are released, and what is reported about a Helm that failed."""

from __future__ import annotations

import pytest

from localloop.config.model import Chart
from localloop.plan.model import ComponentPlan
from localloop.release.failure import helm_said
from localloop.release.order import in_order


@pytest.mark.parametrize(
    ("needs", "parts", "order"),
    [
        ({}, "abc", "abc"),
        ({"a": "c"}, "abc", "cab"),
        ({"a": "b", "b": "c"}, "abc", "cba"),
        ({"a": "b", "b": "c"}, "ac", "ca"),  # through one that is not released
        ({"c": "ab"}, "cba", "abc"),
    ],
)
def test_order(needs: dict[str, str], parts: str, order: str) -> None:
    charts = {
        name: Chart(name=name, release=name, namespace="n", needs=tuple(needs.get(name, "")))
        for name in "abc"
    }
    found = in_order([ComponentPlan(name, "chart") for name in parts], charts)
    assert "".join(part.name for part in found) == order


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("", "no message"),
        ("level=WARN msg=x\nError: UPGRADE FAILED: y\n\n", "Error: UPGRADE FAILED: y"),
        ("a\nb\nc\nd\ne\nf\n", "b\n  c\n  d\n  e\n  f"),
        ("Error: one\nError: two\nmore", "Error: two\n  more"),
    ],
)
def test_what_helm_said(stderr: str, said: str) -> None:
    assert helm_said(stderr) == said
