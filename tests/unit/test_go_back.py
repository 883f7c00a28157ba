"""Going back: charts to a settled state, by Helm, through the gate, into the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from fake_helm import FakeHelm, helm_secret
from fake_world import World, obj, prepare

from localloop.errors import LocalloopError, UsageError
from localloop.gate.run import NotReadyError
from localloop.plan.model import Plan
from localloop.record.model import ChartState
from localloop.registry.published import PublishedImage
from localloop.release.failure import ReleaseFailedError
from localloop.release.rollback import go_back, plan_back

Object = dict[str, Any]


def page(title: str) -> Object:
    return obj("v1", "ConfigMap", "page", data={"title": title})


LATE = obj("v1", "PersistentVolumeClaim", "late", status={"phase": "Lost"})


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        prepare(fake)
        yield fake


@pytest.fixture
def helm(tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    found = FakeHelm(tmp_path / "bin", api)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return found


@pytest.fixture
def world(tmp_path: Path, api: FakeApi) -> World:
    """Two deploys of a chart are settled: tx-1 with an old image, tx-2 with a new one."""
    made = World(
        tmp_path,
        api,
        images={"web": {"dockerfile": "Dockerfile"}},
        charts={"page": {"path": "chart", "namespace": "app"}},
    )
    for revision, title in ((1, "old"), (2, "new")):
        api.put(
            page(title),
            helm_secret("page", revision, page(title), transaction=f"tx-{revision}"),
        )
        state = ChartState(
            transaction=f"tx-{revision}",
            fingerprint=f"fp-{revision}",
            images={"web": made.images.publish("web", page=title.encode())},
            base_revision=revision - 1,
            revision=revision,
            manifest=title,
        )
        made.store.save(made.record.unsettle("page", state).settle("page", state))
    return made


def image(world: World, revision: int) -> PublishedImage:
    history = world.record.charts["page"].history
    return next(state.images["web"] for state in history if state.revision == revision)


def back(world: World, transaction: str | None = None) -> Plan:
    """Go back; the plan with its results."""
    plan = plan_back(world.session, transaction)
    plan, result = go_back(world.session, plan, world.journal, world.events.append)
    assert result.ready
    return plan


def test_back_to_the_state_before(world: World, api: FakeApi, helm: FakeHelm) -> None:
    old = image(world, 1)
    helm.turn(page("old"), helm_secret("page", 3, page("old"), transaction="tx-1"))
    plan = back(world)
    ((words, values),) = helm.calls()
    assert words[words.index("rollback") :][:3] == ["rollback", "--namespace", "app"]
    assert (words[-2:], values) == (["page", "1"], "")
    entry = world.record.charts["page"]
    assert (entry.state, entry.target.revision, entry.target.base_revision) == ("settled", 3, 2)
    assert (entry.target.transaction, entry.target.fingerprint) == ("tx-1", "fp-1")
    assert entry.target.images == {"web": old}
    assert [state.revision for state in entry.history] == [3, 2, 1]
    part = plan.components["page"]
    assert (part.changed, part.revision, part.back_to.revision) == (True, 3, 1)
    assert [event["status"] for event in world.emitted("gate")] == ["ready"]
    assert [event["components"] for event in world.emitted("settled")] == [["page"]]


def test_a_chart_that_runs_that_state_is_left_alone(world: World, helm: FakeHelm) -> None:
    plan = back(world, "tx-2")
    assert (plan.components["page"].skip, helm.calls()) == ("unchanged", [])
    assert world.record.charts["page"].target.revision == 2


def test_an_image_that_the_registry_lost(world: World, helm: FakeHelm) -> None:
    world.images.forget(image(world, 1))
    before = world.record
    with pytest.raises(UsageError) as caught:
        back(world)
    assert (caught.value.reason, caught.value.component) == ("registry_lost", "page")
    assert (world.record, helm.calls()) == (before, [])


def test_a_revision_that_helm_dropped(world: World, api: FakeApi, helm: FakeHelm) -> None:
    api.remove(helm_secret("page", 1, page("old")))
    with pytest.raises(UsageError) as caught:
        back(world)
    assert (caught.value.reason, helm.calls()) == ("revision_gone", [])


def test_a_helm_that_fails_leaves_the_state_unsettled(world: World, helm: FakeHelm) -> None:
    helm.turn(code=1, stderr="Error: no\n")
    with pytest.raises(ReleaseFailedError, match="helm rollback to revision 1 failed: Error: no"):
        back(world)
    entry = world.record.charts["page"]
    assert (entry.state, entry.target.transaction) == ("settling", "tx-1")
    assert entry.last_good is not None
    assert entry.last_good.transaction == "tx-2"


def test_what_does_not_get_ready_is_not_settled(world: World, helm: FakeHelm) -> None:
    helm.turn(page("old"), LATE, helm_secret("page", 3, page("old"), LATE, transaction="tx-1"))
    with pytest.raises(NotReadyError):
        back(world)
    assert world.record.charts["page"].state == "settling"
    assert world.emitted("settled") == []


def test_a_release_that_moved_since_the_plan(world: World, api: FakeApi, helm: FakeHelm) -> None:
    """Somebody's helm came between the plan and ours."""
    plan = plan_back(world.session, None)
    api.put(helm_secret("page", 3, page("by hand"), transaction="tx-2"))
    with pytest.raises(LocalloopError) as caught:
        go_back(world.session, plan, world.journal, world.events.append)
    assert (caught.value.reason, helm.calls()) == ("cluster_moved", [])
    assert world.record.charts["page"].state == "settled"
