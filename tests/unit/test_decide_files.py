"""Node files in the plan: put only what the nodes lack, restart only pods that need it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localloop.observe.facts import Facts, NodeFileFacts, Request
from localloop.plan.compare import with_built_bytes
from localloop.plan.decide import make_components
from localloop.plan.model import ComponentPlan, Plan
from localloop.record.model import NodeFileEntry, Record
from localloop.registry.published import PublishedImage

AUTO, FULL, TARGET = Request(), Request("full"), Request("auto", ("tool",))
OTHER = Request("auto", ("gateway",))
NODE = "relay-control-plane"
BUILD, ALL = ["build", "publish"], ["build", "publish", "put", "reconcile"]


def image() -> PublishedImage:
    return PublishedImage("127.0.0.1:5000/relay/tool", "sha256:d", {"linux/amd64": "sha256:c"})


def entry(**changes: Any) -> NodeFileEntry:
    known: dict[str, Any] = {
        "transaction": "tx-1",
        "fingerprint": "f1",
        "sha256": "s1",
        "put": True,
        "reconciled": True,
        "nodes": {NODE: {"size": 1}},
    }
    return NodeFileEntry(**{**known, **changes})


def file(**changes: Any) -> NodeFileFacts:
    known: dict[str, Any] = {"fingerprint": "f1", "mode": "rolling-delete", "timeout": 90.0}
    return NodeFileFacts(**{**known, **changes})


def decided(
    wanted: Request, found: NodeFileEntry | None, now: NodeFileFacts, **facts: Any
) -> ComponentPlan:
    record = Record("relay", node_files={"tool": found} if found else {})
    everything = Facts("relay", {}, {}, record, node_files={"tool": now}, **facts)
    return make_components(everything, wanted)["tool"]


def names(part: ComponentPlan) -> list[str]:
    return [reason.name for reason in part.reasons]


EDITED = {"fingerprint": "f2", "changes": {"changed": {"count": 1, "first": ["src/main.rs"]}}}
ROWS = [
    # case, request, entry, facts, steps, reasons (or the skip)
    ("proven", AUTO, entry(), file(), [], "unchanged"),
    ("edited", AUTO, entry(), file(**EDITED), ALL, ["inputs_changed"]),
    ("edited back", AUTO, entry(), file(fingerprint="f0", published=image()),
     ["put", "reconcile"], ["inputs_changed"]),
    ("first", AUTO, None, file(), ALL, ["never_built", "never_deployed"]),
    ("first, in the registry", AUTO, None, file(published=image()),
     ["put", "reconcile"], ["never_deployed"]),
    ("record gone", AUTO, None, file(published=image(), other=(NODE,)),
     ["put", "reconcile"], ["record_missing"]),
    ("killed in the put", AUTO, entry(put=False, reconciled=False), file(published=image()),
     ["put", "reconcile"], ["unsettled"]),
    ("killed before the reconcile", AUTO, entry(reconciled=False), file(pending=2),
     ["reconcile"], ["pending"]),
    ("reconcile none", AUTO, entry(reconciled=False), file(pending=2, mode="none"),
     [], "unchanged"),
    ("edited, reconcile none", AUTO, entry(), file(**EDITED, mode="none"),
     [*BUILD, "put"], ["inputs_changed"]),
    ("deleted on the node", AUTO, entry(), file(missing=(NODE,), published=image()),
     ["put"], ["node_lost"]),
    ("deleted on the node, pods pending", AUTO, entry(reconciled=False),
     file(missing=(NODE,), published=image(), pending=1), ["put", "reconcile"], ["node_lost"]),
    ("deleted on the node, registry wiped", AUTO, entry(), file(missing=(NODE,), lost=True),
     [*BUILD, "put", "reconcile"], ["registry_lost", "node_lost"]),
    ("changed on the node", AUTO, entry(), file(other=(NODE,), published=image()),
     ["put", "reconcile"], ["node_changed"]),
    ("target", TARGET, entry(), file(), ALL, ["targeted"]),
    ("edited target", TARGET, entry(), file(**EDITED), ALL, ["targeted", "inputs_changed"]),
    ("full", FULL, entry(), file(), ALL, ["full"]),
    ("another target", OTHER, entry(), file(**EDITED), [], "not_targeted"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "steps", "reasons"),
    [
        (file(published=image()), ["put"], []),
        (file(lost=True), [*BUILD, "put"], ["registry_lost"]),
        (file(**EDITED), [*BUILD, "put"], ["inputs_changed"]),
    ],
)
def test_a_cluster_that_takes_the_place_of_this_one(
    now: NodeFileFacts, steps: list[str], reasons: list[str]
) -> None:
    """It has nothing; what the registry lacks is built while the old one is still there."""
    part = decided(AUTO, entry(), now, new_cluster=True)
    assert (list(part.steps), part.skip) == ([*steps, "reconcile"], "")
    assert names(part) == [*reasons, "cluster_recreated"]
    assert (part.image is None) == ("build" in steps)


@pytest.mark.parametrize(
    ("wanted", "found", "now", "steps", "why"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_decision(
    wanted: Request, found: Any, now: NodeFileFacts, steps: list[str], why: list[str] | str
) -> None:
    part = decided(wanted, found, now)
    assert list(part.steps) == steps
    assert (names(part) or part.skip) == why


def test_new_cluster() -> None:
    part = decided(AUTO, None, file(published=image()), recreated=True)
    assert names(part) == ["cluster_recreated"]


def test_pods_that_are_left_are_said() -> None:
    part = decided(AUTO, entry(reconciled=False), file(pending=3, mode="none"))
    assert part.warnings == ("3 pods use earlier bytes (reconcile is none)",)


@given(
    found=st.builds(entry, put=st.booleans(), reconciled=st.booleans()),
    now=st.builds(
        file,
        fingerprint=st.sampled_from(["f1", "f2"]),
        other=st.sampled_from([(), (NODE,)]),
        missing=st.sampled_from([(), (NODE,)]),
        pending=st.integers(0, 2),
        mode=st.sampled_from(["rolling-delete", "none"]),
    ),
    wanted=st.sampled_from([AUTO, FULL, TARGET, OTHER]),
)
def test_law_a_skip_is_proven_and_a_step_explained(
    found: NodeFileEntry, now: NodeFileFacts, wanted: Request
) -> None:
    part = decided(wanted, found, now)
    rolling = now.mode == "rolling-delete"
    lacking = now.fingerprint != "f1" or now.other or not found.put
    assert bool(part.steps) == bool(part.reasons) != bool(part.skip)
    assert part == decided(wanted, found, now)
    if part.skip == "unchanged":
        assert not (lacking or now.missing or (now.pending and rolling))
    assert (part.skip == "not_targeted") == (wanted is OTHER)
    assert rolling or "reconcile" not in part.steps
    if "put" in part.steps and rolling and lacking:
        assert "reconcile" in part.steps


def compared(part: ComponentPlan, sha256: str) -> ComponentPlan:
    plan = Plan("relay", "/p", "", "auto", (), {"verdict": "ok", "reason": ""}, {"tool": part})
    return with_built_bytes(plan, {"tool": sha256}).components["tool"]


def test_equal_bytes_are_not_put() -> None:
    part = compared(decided(AUTO, entry(), file(**EDITED)), "s1")
    assert (list(part.steps), part.skip) == (BUILD, "digest_already_deployed")
    assert part.file.sha256 == "s1"


def test_equal_bytes_leave_pending_pods_to_be_restarted() -> None:
    part = compared(decided(AUTO, entry(reconciled=False), file(**EDITED, pending=1)), "s1")
    assert list(part.steps) == [*BUILD, "reconcile"]


@pytest.mark.parametrize(
    "part",
    [
        decided(AUTO, entry(), file(**EDITED, missing=(NODE,))),
        decided(AUTO, entry(put=False), file(**EDITED)),
        decided(FULL, entry(), file()),
    ],
    ids=["a node lost it", "the put was killed", "full"],
)
def test_equal_bytes_do_not_hide_another_reason(part: ComponentPlan) -> None:
    assert compared(part, "s1").steps == part.steps


def test_other_bytes_are_put() -> None:
    part = decided(AUTO, entry(), file(**EDITED))
    assert compared(part, "s2") == replace(part, file=replace(part.file, sha256="s2"))


def test_a_plan_with_a_file_survives_json() -> None:
    part = decided(AUTO, entry(), file(other=(NODE,), published=image()))
    plan = Plan("relay", "/p", "", "auto", (), {"verdict": "ok", "reason": ""}, {"tool": part})
    assert Plan.from_dict(plan.as_dict()) == plan
