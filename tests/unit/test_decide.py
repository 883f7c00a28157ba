"""The decision: a skip only with proof, a step only with a reason, the same facts the same plan."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localloop.errors import UsageError
from localloop.fingerprint.explain import summary_of
from localloop.helm.releases import PROJECT_LABEL, TRANSACTION_LABEL, Release, is_pending
from localloop.observe.facts import ChartFacts, Facts, ImageFacts, NodeFileFacts, Request, request
from localloop.plan import decide
from localloop.plan.compare import with_built_bytes
from localloop.plan.decide import make_components
from localloop.plan.model import ComponentPlan, Plan, Reason
from localloop.record.model import ChartEntry, ChartState, ImageEntry, NodeFileEntry, Record
from localloop.registry.published import PublishedImage

PROJECT = "relay"
AUTO = Request()
FULL = Request("full")
CHANGES = {"changed": {"count": 1, "first": ["src/main.rs"]}}


def published(name: str, version: int = 1) -> PublishedImage:
    mark = f"{name}-{version}".encode().hex()
    return PublishedImage(
        f"127.0.0.1:5000/{PROJECT}/{name}",
        "sha256:" + mark.ljust(64, "a"),
        {"linux/amd64": "sha256:" + mark.ljust(64, "c")},
    )


def state(**changes: Any) -> ChartState:
    known: dict[str, Any] = {
        "transaction": "tx-1",
        "fingerprint": "chart-1",
        "images": {"gateway": published("gateway"), "sidecar": published("sidecar")},
        "base_revision": 2,
        "revision": 3,
        "manifest": "m",
    }
    return ChartState(**{**known, **changes})


def live(**changes: Any) -> Release:
    known: dict[str, Any] = {
        "name": "relay",
        "namespace": "relay",
        "revision": 3,
        "status": "deployed",
        "labels": {PROJECT_LABEL: PROJECT, TRANSACTION_LABEL: "tx-1"},
    }
    return Release(**{**known, **changes})


def proven() -> Facts:
    """Two images and the chart that runs them; an image that no chart consumes; all is well."""
    names = ("gateway", "sidecar", "tool")
    images = {
        name: ImageFacts(
            fingerprint=f"{name}-1",
            published=published(name),
            kept={} if name == "tool" else {"relay": published(name)},
        )
        for name in names
    }
    record = Record(
        PROJECT,
        serial=7,
        images={name: ImageEntry(f"{name}-1", published(name)) for name in names},
        charts={"relay": ChartEntry("settled", state())},
        resource_version="41",
    )
    chart = ChartFacts(
        fingerprint="chart-1", consumes=("gateway", "sidecar"), release=live(), manifest_same=True
    )
    return Facts(PROJECT, images, {"relay": chart}, record)


def image(facts: Facts, name: str, **changes: Any) -> Facts:
    return replace(facts, images={**facts.images, name: replace(facts.images[name], **changes)})


def chart(facts: Facts, **changes: Any) -> Facts:
    return replace(facts, charts={"relay": replace(facts.charts["relay"], **changes)})


def entry(facts: Facts, found: ChartEntry | None) -> Facts:
    charts = {} if found is None else {"relay": found}
    return replace(facts, record=replace(facts.record, charts=charts))


def settling(**target: Any) -> ChartEntry:
    return ChartEntry("settling", state(**{"transaction": "tx-2", **target}), state())


def first_run(**target: Any) -> ChartEntry:
    """What a first run that did not get Ready leaves."""
    return replace(settling(**target), last_good=None)


def shown(part: ComponentPlan) -> str:
    """``release: drift (…)`` or ``skip: unchanged``."""
    if part.skip:
        assert not part.steps
        assert not part.reasons
        return f"skip: {part.skip}"
    return f"{'+'.join(part.steps)}: " + "; ".join(map(str, part.reasons))


def plan_of(components: dict[str, ComponentPlan], **changes: Any) -> Plan:
    known: dict[str, Any] = {
        "project": PROJECT,
        "root": "/project",
        "profile": "local-fast",
        "mode": "auto",
        "targets": (),
        "cluster": {"verdict": "ok", "reason": ""},
        "components": components,
        "serial": 7,
    }
    return Plan(**{**known, **changes})


# -- design, "Skip needs proof": each clause broken, and what is done about it --------------------

Change = Callable[[Facts], Facts]
LIVE_TX_2 = live(labels={PROJECT_LABEL: PROJECT, TRANSACTION_LABEL: "tx-2"})

BROKEN: dict[str, tuple[Change, dict[str, str]]] = {
    "image: fingerprint moved, nothing in the registry": (
        lambda f: image(f, "gateway", fingerprint="gateway-2", published=None, changes=CHANGES),
        {
            "gateway": "build+publish: inputs_changed (changed src/main.rs)",
            "relay": "release: consumes (gateway)",
        },
    ),
    "image: fingerprint moved back, its tag is in the registry": (
        lambda f: image(f, "gateway", fingerprint="gateway-0", published=published("gateway", 0)),
        {"gateway": "skip: in_registry", "relay": "release: image_changed (gateway)"},
    ),
    "image: the recorded digest is gone from the registry": (
        lambda f: image(f, "gateway", published=None, lost=True),
        {
            "gateway": "build+publish: registry_lost (the registry no longer has it)",
            "relay": "release: consumes (gateway)",
        },
    ),
    "image: its tag names another digest than the chart runs": (
        lambda f: image(f, "sidecar", published=published("sidecar", 9)),
        {"sidecar": "skip: unchanged", "relay": "release: image_changed (sidecar)"},
    ),
    "image: never built": (
        lambda f: image(
            replace(f, record=replace(f.record, images={})), "tool", published=None, fingerprint="t"
        ),
        {"tool": "build+publish: never_built", "gateway": "skip: in_registry"},
    ),
    "chart: fingerprint differs": (
        lambda f: chart(f, fingerprint="chart-2", changes=CHANGES),
        {"relay": "release: chart_changed (changed src/main.rs)"},
    ),
    "chart: live revision differs (a hand-made upgrade, a rollback)": (
        lambda f: chart(f, release=live(revision=4)),
        {"relay": "release: drift (Helm revision 4 is not the recorded 3)"},
    ),
    "chart: status is not deployed": (
        lambda f: chart(f, release=live(status="failed")),
        {"relay": "release: release_not_deployed (status failed)"},
    ),
    "chart: a dead run left it pending": (
        lambda f: chart(f, release=live(status="pending-upgrade")),
        {"relay": "release: release_not_deployed (status pending-upgrade)"},
    ),
    "chart: manifest differs": (
        lambda f: chart(f, manifest_same=False),
        {"relay": "release: drift (Helm's stored manifest is not the recorded one)"},
    ),
    "chart: recorded digest differs": (
        lambda f: entry(
            f,
            ChartEntry(
                "settled",
                state(images={"gateway": published("gateway", 0), "sidecar": published("sidecar")}),
            ),
        ),
        {"relay": "release: image_changed (gateway)"},
    ),
    "chart: a recorded image is consumed no more": (
        lambda f: chart(f, consumes=()),
        {"relay": "release: image_dropped (gateway, sidecar)"},
    ),
    "chart: an image is consumed that the record does not know": (
        lambda f: chart(f, consumes=("gateway", "sidecar", "tool")),
        {"relay": "release: image_changed (tool)"},
    ),
    "chart: a pod runs another digest": (
        lambda f: chart(f, other_pods=("web-1/web: x is different",)),
        {"relay": "release: pods_run_another_digest (web-1/web: x is different)"},
    ),
    "chart: an object differs from its manifest": (
        lambda f: chart(f, drift=("Deployment web: spec.replicas", "ConfigMap c is gone")),
        {"relay": "release: drift (Deployment web: spec.replicas); drift (ConfigMap c is gone)"},
    ),
    "chart: workloads are not ready": (
        lambda f: chart(f, not_ready="crash_loop:web"),
        {"relay": "settle: not_ready (crash_loop:web)"},
    ),
    "chart: release gone": (
        lambda f: chart(f, release=None),
        {"relay": "release: release_missing (Helm no longer has a release of that name)"},
    ),
    "chart: release gone, of a run that was not finished": (
        lambda f: entry(chart(f, release=None), settling()),
        {"relay": "release: release_missing (Helm no longer has a release of that name)"},
    ),
    "chart: its first run made no release": (
        lambda f: entry(chart(f, release=None), first_run(revision=0)),
        {"relay": "release: release_missing (tx-2 did not get as far as a release)"},
    ),
    "chart: its first run made a release that is gone": (
        lambda f: entry(chart(f, release=None), first_run(revision=1)),
        {"relay": "release: release_missing (Helm no longer has a release of that name)"},
    ),
    "chart: settling, and its target is live": (
        lambda f: entry(chart(f, release=LIVE_TX_2), settling()),
        {"relay": "settle: settling (tx-2 was not finished)"},
    ),
    "chart: settling, and something of it was changed or is gone": (
        lambda f: entry(
            chart(f, release=LIVE_TX_2, drift=("ConfigMap page: data.title",)), settling()
        ),
        {"relay": "release: settling (tx-2 was not finished); drift (ConfigMap page: data.title)"},
    ),
    "chart: settling, and the killed run had not released yet": (
        lambda f: entry(f, settling(base_revision=3)),
        {"relay": "release: unsettled (tx-2 did not reach Ready)"},
    ),
    "chart: settling, and its helm failed": (
        lambda f: entry(chart(f, release=replace(LIVE_TX_2, status="failed")), settling()),
        {"relay": "release: unsettled (tx-2 did not reach Ready)"},
    ),
    "chart: settling, and another Helm released since": (
        lambda f: entry(chart(f, release=replace(LIVE_TX_2, revision=4)), settling()),
        {"relay": "release: unsettled (tx-2 did not reach Ready)"},
    ),
    "chart: settling, and the revision is another transaction's": (
        lambda f: entry(f, settling()),
        {"relay": "release: unsettled (tx-2 did not reach Ready)"},
    ),
    "chart: settling, and the edit was reverted": (
        lambda f: entry(chart(f, release=LIVE_TX_2), settling(fingerprint="chart-2")),
        {"relay": "release: unsettled (tx-2 did not reach Ready)"},
    ),
    "chart: settling, and the image was reverted": (
        lambda f: entry(
            chart(f, release=LIVE_TX_2),
            settling(
                images={"gateway": published("gateway", 2), "sidecar": published("sidecar")},
            ),
        ),
        {"relay": "release: unsettled (tx-2 did not reach Ready)"},
    ),
    "chart: never deployed": (
        lambda f: entry(chart(f, release=None), None),
        {"relay": "release: never_deployed"},
    ),
    "record missing": (
        lambda f: replace(f, record=Record(PROJECT)),
        {
            "gateway": "skip: in_registry",
            "relay": "release: record_missing (the cluster's record does not know this release)",
        },
    ),
    "cluster recreated under the same name": (
        lambda f: replace(chart(f, release=None), record=Record(PROJECT), recreated=True),
        {"relay": "release: cluster_recreated (the cluster is not the one deployed to before)"},
    ),
    "several at once": (
        lambda f: chart(f, fingerprint="chart-2", release=live(revision=9), drift=("x",)),
        {
            "relay": "release: drift (Helm revision 9 is not the recorded 3);"
            " chart_changed (the earlier inputs are not kept here); drift (x)"
        },
    ),
}


def test_all_proven_is_a_skip() -> None:
    components = make_components(proven(), AUTO)
    assert [(name, shown(part)) for name, part in components.items()] == [
        ("gateway", "skip: unchanged"),
        ("sidecar", "skip: unchanged"),
        ("tool", "skip: unchanged"),
        ("relay", "skip: unchanged"),
    ]
    assert plan_of(components).changes_nothing


@pytest.mark.parametrize("row", BROKEN)
def test_skip_needs_proof(row: str) -> None:
    change, wanted = BROKEN[row]
    components = make_components(change(proven()), AUTO)
    assert {name: shown(components[name]) for name in wanted} == wanted
    others = {name for name in components if name not in wanted}
    assert all(components[name].skip for name in others)
    assert not plan_of(components).changes_nothing


# Each of these alone voids the proof of a state that is fully proven otherwise.
CLAUSES = [row for row in BROKEN if row != "several at once"]


@given(
    st.sets(
        st.sampled_from(
            [
                "fingerprint",
                "revision",
                "status",
                "manifest",
                "drift",
                "pods",
                "ready",
                "lost",
                "digest",
                "settling",
                "entry",
                "gone",
            ]
        ),
        min_size=1,
    )
)
def test_law_any_broken_clause_is_a_step(broken: set[str]) -> None:
    changes: dict[str, Change] = {
        "fingerprint": lambda f: chart(f, fingerprint="other"),
        "revision": lambda f: chart(
            f, release=replace(f.charts["relay"].release or live(), revision=8)
        ),
        "status": lambda f: chart(
            f, release=replace(f.charts["relay"].release or live(), status="superseded")
        ),
        "manifest": lambda f: chart(f, manifest_same=False),
        "drift": lambda f: chart(f, drift=("Service web: spec.ports",)),
        "pods": lambda f: chart(f, other_pods=("web-0/web",)),
        "ready": lambda f: chart(f, not_ready="timeout:ready 0/1"),
        "lost": lambda f: image(f, "gateway", published=None, lost=True),
        "digest": lambda f: image(f, "sidecar", published=published("sidecar", 5)),
        "settling": lambda f: entry(f, settling()),
        "entry": lambda f: entry(f, None),
        "gone": lambda f: chart(f, release=None),
    }
    facts = proven()
    for name in sorted(broken):
        facts = changes[name](facts)
    part = make_components(facts, AUTO)["relay"]
    assert part.steps
    assert part.reasons
    assert not part.skip


# -- any facts at all -----------------------------------------------------------------------------

versions = st.integers(0, 2)
names = st.sampled_from(["gateway", "sidecar", "tool"])


def file_entry(**changes: Any) -> NodeFileEntry:
    return NodeFileEntry(transaction="tx-1", fingerprint="agent-1", sha256="s1", **changes)


agents = st.builds(
    NodeFileFacts,
    fingerprint=st.sampled_from(["agent-1", "agent-2"]),
    published=st.none() | st.just(published("agent")),
    lost=st.booleans(),
    other=st.sampled_from([(), ("node",)]),
    missing=st.sampled_from([(), ("node",)]),
    pending=st.integers(0, 2),
    mode=st.sampled_from(["rolling-delete", "none"]),
)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    facts = proven()
    for name in ("gateway", "sidecar", "tool"):
        if draw(st.booleans()):
            found = draw(st.none() | versions.map(lambda v, name=name: published(name, v)))
            facts = image(
                facts,
                name,
                fingerprint=f"{name}-{draw(versions)}",
                published=found,
                lost=found is None and draw(st.booleans()),
                kept=draw(st.sampled_from([{}, {"relay": published(name)}])),
            )
    releases = st.none() | st.builds(
        live,
        revision=st.integers(1, 4),
        status=st.sampled_from(["deployed", "failed", "pending-upgrade"]),
        labels=st.sampled_from([LIVE_TX_2.labels, live().labels]),
    )
    facts = chart(
        facts,
        fingerprint=draw(st.sampled_from(["chart-1", "chart-2"])),
        consumes=tuple(sorted(draw(st.sets(names)))),
        release=draw(releases),
        manifest_same=draw(st.booleans()),
        drift=draw(st.sampled_from([(), ("x",)])),
        other_pods=draw(st.sampled_from([(), ("p",)])),
        not_ready=draw(st.sampled_from(["", "crash_loop:web"])),
    )
    facts = entry(
        facts,
        draw(
            st.sampled_from([None, settling(), settling(base_revision=0)])
            | st.just(ChartEntry("settled", state()))
        ),
    )
    known = draw(st.none() | st.builds(file_entry, put=st.booleans(), reconciled=st.booleans()))
    return replace(
        facts,
        recreated=draw(st.booleans()),
        node_files={"agent": draw(agents)},
        record=replace(facts.record, node_files={"agent": known} if known else {}),
    )


COMPONENTS = ["gateway", "sidecar", "tool", "agent", "relay"]
SAY_ALL = ("full", "targeted", "never_built", "never_deployed")
"""Reasons that are about nothing else."""


@cache
def explained() -> set[str]:
    """The reasons that docs/troubleshooting.md explains."""
    page = (Path(__file__).parents[2] / "docs/troubleshooting.md").read_text("utf-8")
    table = page.partition("## Reasons that are not failures")[2]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


targets = st.lists(st.sampled_from(COMPONENTS), unique=True)
requests = st.just(FULL) | targets.map(lambda found: Request("auto", tuple(found)))


@given(any_facts(), requests)
def test_law_every_step_has_a_reason_and_every_skip_a_name(facts: Facts, wanted: Request) -> None:
    for part in make_components(facts, wanted).values():
        assert bool(part.steps) == bool(part.reasons) != bool(part.skip)
        assert len(set(part.reasons)) == len(part.reasons)
        for reason in part.reasons:
            assert reason.name in explained()
            assert reason.detail or reason.name in SAY_ALL


def test_law_same_facts_same_plan() -> None:
    """Also in other processes, whose sets have other orders: of most pairs one of the three."""
    printed = [
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("print_plans.py"))],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for seed in ("0", "4", "9")
    ]
    assert printed[0] == printed[1] == printed[2]
    assert len(set(printed[0])) > 50


@given(any_facts(), requests)
def test_law_a_skip_is_proven(facts: Facts, wanted: Request) -> None:
    components = make_components(facts, wanted)
    for name, found in facts.images.items():
        if components[name].skip in ("unchanged", "in_registry"):
            assert found.published is not None
    part, found_chart = components["relay"], facts.charts["relay"]
    if part.skip != "unchanged":
        return
    known = facts.record.charts["relay"]
    assert known.state == "settled"
    assert found_chart.release is not None
    assert found_chart.release.revision == known.target.revision
    assert found_chart.release.status == "deployed"
    assert found_chart.manifest_same
    assert found_chart.fingerprint == known.target.fingerprint
    assert part.images == known.target.images
    assert set(part.images) == set(found_chart.consumes)
    assert not found_chart.drift
    assert not found_chart.other_pods
    assert not found_chart.not_ready


@given(any_facts(), requests)
def test_law_a_release_has_all_its_images_or_builds_them(facts: Facts, wanted: Request) -> None:
    components = make_components(facts, wanted)
    part = components["relay"]
    if part.skip == "not_targeted":
        return
    for name in part.consumes:
        assert (name in part.images) != ("build" in components[name].steps)


@given(any_facts(), targets.filter(bool))
def test_law_targets_move_nothing_else(facts: Facts, found: list[str]) -> None:
    wanted = Request("auto", tuple(found))
    components = make_components(facts, wanted)
    consumes = set(facts.charts["relay"].consumes)
    in_scope = "relay" in found or bool(consumes & set(found))
    assert (components["relay"].skip != "not_targeted") == in_scope
    for name in facts.images:
        part = components[name]
        required = in_scope and name in consumes and not facts.images[name].kept
        if name not in found and not required:
            assert part.skip == "not_targeted"
        if name not in found and part.steps:
            assert Reason("required_by", "relay") in part.reasons
    assert (components["agent"].skip == "not_targeted") == ("agent" not in found)


@given(any_facts())
def test_law_full_builds_and_releases_everything(facts: Facts) -> None:
    components = make_components(facts, FULL)
    assert all(part.reasons[0] == Reason("full") for part in components.values())
    assert components["relay"].steps == ("release",)
    assert not components["relay"].only_if_digest_differs
    assert all(components[name].steps == ("build", "publish") for name in facts.images)
    assert components["agent"].steps[:3] == ("build", "publish", "put")


@given(any_facts(), requests)
def test_law_a_plan_survives_json(facts: Facts, wanted: Request) -> None:
    plan = plan_of(
        make_components(facts, wanted), targets=wanted.targets, unchecked=("base: unchecked",)
    )
    assert Plan.from_dict(plan.as_dict()) == plan
    assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


# -- targets --------------------------------------------------------------------------------------


def shown_all(facts: Facts, *found: str) -> dict[str, str]:
    components = make_components(facts, Request("auto", found))
    return {name: shown(part) for name, part in components.items()}


def test_target_image_is_built_and_its_chart_released() -> None:
    assert shown_all(proven(), "gateway") == {
        "gateway": "build+publish: targeted",
        "sidecar": "skip: not_targeted",
        "tool": "skip: not_targeted",
        "relay": "release: consumes (gateway)",
    }


def test_target_image_without_a_chart() -> None:
    found = shown_all(proven(), "tool")
    assert found["tool"] == "build+publish: targeted"
    assert found["relay"] == "skip: not_targeted"


def test_target_chart_builds_nothing() -> None:
    facts = image(proven(), "gateway", fingerprint="gateway-2", published=None)
    assert shown_all(facts, "relay") == {
        "gateway": "skip: not_targeted",
        "sidecar": "skip: not_targeted",
        "tool": "skip: not_targeted",
        "relay": "release: targeted",
    }


def test_sibling_keeps_the_digest_of_the_charts_own_entry() -> None:
    moved = image(proven(), "sidecar", fingerprint="sidecar-2", published=published("sidecar", 2))
    part = make_components(moved, Request("auto", ("gateway",)))["relay"]
    assert part.images == {"sidecar": published("sidecar")}
    assert part.only_if_digest_differs


def test_sibling_that_the_registry_lacks_is_built() -> None:
    facts = image(proven(), "sidecar", kept={}, published=None, lost=True)
    found = shown_all(facts, "gateway")
    assert found["sidecar"] == (
        "build+publish: registry_lost (the registry no longer has it); required_by (relay)"
    )
    assert found["relay"] == "release: consumes (gateway); consumes (sidecar)"


def test_sibling_that_the_registry_has_under_its_tag_is_not_built() -> None:
    facts = image(proven(), "sidecar", kept={}, published=published("sidecar", 2))
    part = make_components(facts, Request("auto", ("gateway",)))
    assert part["sidecar"].skip == "unchanged"
    assert part["relay"].images == {"sidecar": published("sidecar", 2)}


def test_target_whose_chart_is_unsettled_is_released_for_that() -> None:
    facts = entry(proven(), settling())
    assert shown_all(facts, "gateway")["relay"] == (
        "release: unsettled (tx-2 did not reach Ready); consumes (gateway)"
    )


def test_target_that_is_settling_is_released_again() -> None:
    facts = entry(chart(proven(), release=LIVE_TX_2), settling())
    assert shown_all(facts, "relay")["relay"] == (
        "release: targeted; settling (tx-2 was not finished)"
    )


def test_new_cluster_with_an_entry_of_its_own_is_believed() -> None:
    # Another checkout has deployed to the new cluster: that record is this cluster's.
    components = make_components(replace(proven(), recreated=True), AUTO)
    assert plan_of(components).changes_nothing


# -- requests -------------------------------------------------------------------------------------

KNOWN = ["gateway", "sidecar", "relay"]


@pytest.mark.parametrize(
    ("given_names", "full", "wanted"),
    [
        ((), False, Request()),
        ((), True, FULL),
        (("all",), False, FULL),
        (("gateway", "all"), False, FULL),
        (("relay", "gateway", "relay"), False, Request("auto", ("relay", "gateway"))),
    ],
)
def test_request(given_names: tuple[str, ...], full: bool, wanted: Request) -> None:
    assert request(given_names, full=full, known=KNOWN) == wanted


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gatewy", "Did you mean gateway?"),
        ("al", "Did you mean all?"),
        ("zzz", "Components: gateway, sidecar, relay."),
    ],
)
@pytest.mark.parametrize("full", [False, True])
def test_unknown_target_is_refused(name: str, hint: str, full: bool) -> None:
    with pytest.raises(UsageError) as caught:
        request(("all", name), full=full, known=KNOWN)
    assert caught.value.reason == "unknown_target"
    assert caught.value.hint == hint


# -- releases of others ---------------------------------------------------------------------------


@pytest.mark.parametrize("adopt", [False, True])
def test_release_of_another_project_is_refused(adopt: bool) -> None:
    facts = chart(proven(), release=live(labels={PROJECT_LABEL: "other"}), adopt=adopt)
    with pytest.raises(UsageError, match="project other's") as caught:
        make_components(facts, AUTO)
    assert caught.value.reason == "release_not_ours"
    assert caught.value.component == "relay"
    assert caught.value.hint == "Choose another release name."


def test_unlabelled_release_is_refused_with_the_line_that_adopts_it() -> None:
    with pytest.raises(UsageError, match="not one of localloop's") as caught:
        make_components(chart(proven(), release=live(labels={})), AUTO)
    assert "`adopt: true` under charts.relay" in str(caught.value.hint)


def test_adopted_release_is_released_once() -> None:
    facts = entry(chart(proven(), release=live(labels={}), adopt=True), None)
    assert shown(make_components(facts, AUTO)["relay"]).startswith("release: record_missing")


def test_foreign_release_outside_the_scope_is_not_looked_at() -> None:
    facts = chart(proven(), release=live(labels={}))
    assert shown_all(facts, "tool")["relay"] == "skip: not_targeted"


@pytest.mark.parametrize(
    ("status", "pending"),
    [
        ("pending-install", True),
        ("pending-upgrade", True),
        ("pending-rollback", True),
        ("uninstalling", True),
        ("deployed", False),
    ],
)
def test_is_pending(status: str, pending: bool) -> None:
    assert is_pending(live(status=status)) is pending
    assert not is_pending(None)


# -- after the build ------------------------------------------------------------------------------


def built(facts: Facts, wanted: Request, **found: PublishedImage) -> Plan:
    components = make_components(facts, wanted)
    for name, result in found.items():
        assert "build" in components[name].steps
        components[name] = replace(components[name], image=result, changed=True)
    return with_built_bytes(plan_of(components), {})


def test_equal_bytes_change_nothing_in_the_release() -> None:
    plan = built(proven(), Request("auto", ("gateway",)), gateway=published("gateway"))
    assert shown(plan.components["relay"]) == "skip: digest_already_deployed"
    assert plan.components["gateway"].steps == ("build", "publish")


def test_other_bytes_are_released() -> None:
    plan = built(proven(), Request("auto", ("gateway",)), gateway=published("gateway", 2))
    part = plan.components["relay"]
    assert shown(part) == "release: consumes (gateway)"
    assert part.images == {"gateway": published("gateway", 2), "sidecar": published("sidecar")}


def test_registry_lost_and_rebuilt_to_the_same_bytes() -> None:
    facts = image(proven(), "gateway", published=None, lost=True)
    plan = built(facts, AUTO, gateway=published("gateway"))
    assert plan.components["relay"].skip == "digest_already_deployed"


@pytest.mark.parametrize("row", [row for row in CLAUSES if row.startswith("chart:")])
def test_equal_bytes_do_not_hide_another_reason(row: str) -> None:
    facts = image(BROKEN[row][0](proven()), "gateway", published=None, lost=True)
    if "gateway" not in facts.charts["relay"].consumes:
        return
    known = facts.record.charts.get("relay")
    recorded = known.target.images["gateway"] if known else published("gateway")
    plan = built(facts, AUTO, gateway=recorded)
    part = plan.components["relay"]
    if row in (
        "chart: workloads are not ready",  # the gate, which ends every run, has the last word
        "chart: recorded digest differs",  # the difference was the build's
    ):
        assert part.skip == "digest_already_deployed"
    else:
        assert part.steps == ("release",), row


def test_full_releases_equal_bytes_all_the_same() -> None:
    plan = built(proven(), FULL, **{name: published(name) for name in proven().images})
    assert plan.components["relay"].steps == ("release",)


def test_nothing_built_leaves_the_plan_as_it_is() -> None:
    plan = plan_of(make_components(proven(), AUTO))
    assert with_built_bytes(plan, {}) == plan


# -- words ----------------------------------------------------------------------------------------


def test_every_explained_reason_is_one() -> None:
    sources = Path(decide.__file__).parent.parent.rglob("*.py")
    text = "".join(path.read_text("utf-8") for path in sources)
    assert {name for name in explained() if f'"{name}"' not in text} == set()


def test_summary_of_changes() -> None:
    changes = {
        "changed": {"count": 5, "first": ["a", "b", "c", "d"]},
        "added": {"count": 1, "first": ["n"]},
        "removed": {"count": 0, "first": []},
        "facts_changed": ["platform"],
    }
    assert summary_of(changes) == "changed a, b, c and 2 more; added n; platform"
    assert summary_of({}) == ""


def test_cluster_that_is_not_there_is_something_to_do() -> None:
    plan = plan_of({}, cluster={"verdict": "create", "reason": "cluster_missing"})
    assert not plan.changes_nothing
