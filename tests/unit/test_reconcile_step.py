"""The step node_file_reconcile counts as a change what was restarted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localloop.node_files import reconcile
from localloop.plan.model import ComponentPlan, FilePlan, Plan
from localloop.report import journal
from localloop.steps import node_file_reconcile
from localloop.steps.context import Context

TOOL = ComponentPlan("tool", "node_file", steps=("put", "reconcile"), changed=True)
PLAN = Plan(
    project="relay",
    root="/relay",
    profile="",
    mode="auto",
    targets=(),
    cluster={"verdict": "ok", "reason": ""},
    components={"tool": TOOL},
)


@pytest.mark.parametrize(
    ("check", "restarted", "changed"),
    [(False, 0, False), (False, 2, True), (True, 0, True)],
    ids=["no pod used it", "two pods", "foreseen"],
)
def test_changed(
    monkeypatch: pytest.MonkeyPatch, check: bool, restarted: int, changed: bool
) -> None:
    done = replace(PLAN, components={"tool": replace(TOOL, file=FilePlan(restarted=restarted))})
    monkeypatch.setattr(journal, "attach_or_refuse", lambda _environ: None)
    monkeypatch.setattr(node_file_reconcile, "session_of", lambda *_arguments: None)
    monkeypatch.setattr(reconcile, "reconcile_pods", lambda *_arguments: done)
    result = node_file_reconcile.run({"plan": PLAN.as_dict()}, Context(check=check))
    assert result == {"changed": changed, "plan": (PLAN if check else done).as_dict()}
