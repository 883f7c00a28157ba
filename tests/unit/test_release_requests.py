"""How often a release asks the API server: what Helm made is read once after each of its calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi, path_of
from fake_helm import FakeHelm, helm_secret
from fake_world import World, obj, prepare

from localloop.observe.charts import chart_facts, releases, snapshot
from localloop.plan.model import ComponentPlan, Plan, Step
from localloop.record.model import ChartState
from localloop.record.store import RecordStore
from localloop.release import hook_pods
from localloop.release.failure import ReleaseFailedError

Object = dict[str, Any]


PAGE = obj("v1", "ConfigMap", "page", data={"title": "new"})
JOB = obj(
    "batch/v1",
    "Job",
    "migrate",
    spec={"x": "new"},
    status={"conditions": [{"type": "Complete", "status": "True"}]},
)


def world_of(tmp_path: Path, api: FakeApi, **chart: Any) -> World:
    """A project whose only component is a chart."""
    return World(tmp_path, api, charts={"web": {"path": "chart", "namespace": "app", **chart}})


def plan_of(world: World, step: Step, base_revision: int = 0) -> Plan:
    part = ComponentPlan(
        "web", "chart", steps=(step,), fingerprint="fp", base_revision=base_revision
    )
    return world.plan(part)


def requests(world: World, act: Callable[[], object]) -> Counter[str]:
    """Ours, meanwhile: neither those of the fake helm nor watches, which may be many or few."""
    before = len(world.api.requests)
    act()
    return Counter(
        f"{method} {path}"
        for method, path, query, headers, _ in world.api.requests[before:]
        if "urllib" not in headers.get("user-agent", "").lower() and not query.get("watch")
    )


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        prepare(fake)
        yield fake


@pytest.fixture
def helm(tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    found = FakeHelm(tmp_path / "bin", api)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(hook_pods, "FIRST_LOOK", 60.0)  # this helm runs no hooks, but may be slow
    return found


LIST = "GET /api/v1/namespaces/app/secrets"
"""The revisions of a release, by their metadata."""


def reads(found: Counter[str], revision: int) -> int:
    """How often Helm's Secret of this revision was read and its manifest parsed."""
    return found[f"{LIST}/sh.helm.release.v1.web.v{revision}"]


def test_a_release_lists_before_and_after_helm_and_reads_once(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    world = world_of(tmp_path, api)
    helm.turn(PAGE, JOB, helm_secret("web", 1, PAGE, JOB))
    plan = plan_of(world, "release")
    found = requests(world, lambda: world.release(plan))
    # Two of them for the namespace: it is looked for, and made.
    assert (found[LIST], reads(found, 1), found.total()) == (2, 1, 11)
    # Two of them after the gate, one for each kind: whether anything moved since Helm made it.
    found = requests(world, lambda: world.settle(plan))
    assert (found[LIST], reads(found, 1), found.total()) == (0, 0, 9)


# What was added by hand is looked for first: the last revision is read, and each kind listed.
LOOKS = 3


def test_values_that_are_kept_cost_a_read(tmp_path: Path, api: FakeApi, helm: FakeHelm) -> None:
    world = world_of(tmp_path, api, keep_values=["secret"])
    api.put(PAGE, JOB, helm_secret("web", 1, PAGE, JOB, values={"secret": "s"}))
    helm.turn(PAGE, helm_secret("web", 2, PAGE, JOB))
    plan = plan_of(world, "release", base_revision=1)
    found = requests(world, lambda: world.release(plan))
    assert (found[LIST], reads(found, 1), reads(found, 2)) == (2, 2, 1)
    assert found.total() == 11 + LOOKS
    assert json.loads(helm.calls()[0][1]) == {"secret": "s"}


def test_what_a_failed_helm_left_is_read_once(tmp_path: Path, api: FakeApi, helm: FakeHelm) -> None:
    """By all that ask: what cannot be changed, the hooks, the evidence."""
    world = world_of(tmp_path, api)
    api.put(PAGE, JOB, helm_secret("web", 1, PAGE, JOB))
    failed = helm_secret("web", 2, PAGE, JOB, status="failed")
    helm.turn(failed, code=1, stderr="Error: no\n")
    plan = plan_of(world, "release", base_revision=1)

    def act() -> None:
        with pytest.raises(ReleaseFailedError, match="Error: no"):
            world.release(plan)

    found = requests(world, act)
    assert (found[LIST], reads(found, 2), found.total()) == (2, 1, 12 + LOOKS)


def test_a_job_in_the_way_is_removed_and_helm_called_again(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    """The values that are kept are those of the failed revision: it was read already."""
    world = world_of(tmp_path, api, keep_values=["secret"])
    old = {**JOB, "spec": {"x": "old"}}
    api.put(PAGE, old, helm_secret("web", 1, PAGE, old, values={"secret": "s"}))
    answer = {"kind": "Status", "details": {"causes": [{"field": "spec.template"}]}}
    api.answers["PATCH", path_of(JOB)] = [(422, {}, answer)]
    failed = helm_secret("web", 2, PAGE, JOB, status="failed", values={"secret": "s"})
    helm.turn(failed, code=1, stderr="Error: field is immutable\n")
    helm.turn(JOB, helm_secret("web", 3, PAGE, JOB))
    plan = plan_of(world, "release", base_revision=1)
    found = requests(world, lambda: world.release(plan))
    assert (found[LIST], reads(found, 2), reads(found, 3)) == (3, 1, 1)
    assert found[f"DELETE {path_of(JOB)}"] == 1
    assert [json.loads(values) for _, values in helm.calls()] == [{"secret": "s"}] * 2


def test_a_release_that_a_killed_run_did_not_note(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    world = world_of(tmp_path, api)
    store = RecordStore(world.session.kube, "demo")
    store.save(store.load().unsettle("web", ChartState("tx-1", "fp", {})))
    api.put(PAGE, JOB, helm_secret("web", 1, PAGE, JOB))
    record = store.load()
    live = releases(world.session)["web"]
    view = snapshot(world.session, record)
    found = requests(world, lambda: chart_facts(world.session, "web", record, live, view))
    assert (found[LIST], reads(found, 1)) == (0, 1)
    plan = plan_of(world, "settle", base_revision=1)
    found = requests(world, lambda: world.settle(plan))
    assert (found[LIST], reads(found, 1)) == (2, 2)  # the gate, and the settling after it
    assert store.load().charts["web"].state == "settled"
