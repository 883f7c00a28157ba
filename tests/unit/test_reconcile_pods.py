"""Reconciling: pods that use earlier bytes are replaced one by one, and only those."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from fake_world import NODE, World, obj, prepare

from localloop.errors import LocalloopError
from localloop.node_files.reconcile import reconcile_pods
from localloop.plan.model import ComponentPlan, FilePlan, Plan
from localloop.record.model import NodeFileEntry

Object = dict[str, Any]
READY = [{"type": "Ready", "status": "True"}]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        prepare(fake)
        yield fake


@pytest.fixture
def world(tmp_path: Path, api: FakeApi) -> World:
    tool = {"dockerfile": "Dockerfile", "file": "tool", "dest": "/opt/tool"}
    reconcile = {"namespace": "app", "selector": "app=user", "timeout": 2}
    return World(tmp_path, api, node_files={"tool": {**tool, "reconcile": reconcile}})


def pod(name: str, *, owned: bool = True, ready: bool = True) -> Object:
    found = obj("v1", "Pod", name, spec={"containers": []})
    found["metadata"]["labels"] = {"app": "user"}
    found["status"] = {"phase": "Running", "conditions": READY if ready else []}
    if owned:
        owner = {"kind": "ReplicaSet", "name": "r", "uid": "uid-r", "controller": True}
        found["metadata"]["ownerReferences"] = [owner]
    return found


def replaced(api: FakeApi, *, ready: bool = True) -> None:
    """A controller that makes ``one-new`` of ``one``."""
    api.after_delete = lambda gone: api.put(pod(f"{gone['metadata']['name']}-new", ready=ready))


def reconcile(world: World, *old: str) -> Plan:
    """With these pods, by name, noted as those that were there before the put."""
    uids = tuple(f"uid-{name}" for name in old)
    entry = NodeFileEntry("tx-1", "fp", "a" * 64, put=True, nodes={NODE: {"size": 1}}, pods=uids)
    world.store.save(world.record.with_file("tool", entry))
    part = ComponentPlan(
        "tool",
        "node_file",
        steps=("reconcile",),
        file=FilePlan(mode="rolling-delete", timeout=2.0, pending=len(old)),
    )
    return reconcile_pods(world.session, world.plan(part), world.events.append)


def deleted(api: FakeApi) -> list[str]:
    return [each.rpartition("/")[2] for each in api.methods("DELETE")]


def test_old_pods_are_replaced_and_new_ones_left(world: World, api: FakeApi) -> None:
    api.put(pod("one"), pod("two"), pod("fresh"))
    replaced(api)
    plan = reconcile(world, "one", "two", "gone-already")
    file = plan.components["tool"].file
    assert (file.expected, file.restarted, file.waits, file.pending) == (3, 2, 2, 0)
    assert (file.failure, plan.components["tool"].changed) == ("", True)
    assert sorted(deleted(api)) == ["one", "two"]
    assert world.record.node_files["tool"].reconciled
    assert plan.serial == world.record.serial
    assert world.emitted("plan")[-1]["plan"] == plan.as_dict()


def test_each_waits_for_the_replacement_of_the_one_before(world: World, api: FakeApi) -> None:
    api.put(pod("one"), pod("two"))
    replaced(api)
    reconcile(world, "one", "two")
    changes = [
        (kind, found["metadata"]["name"])
        for kind, found in api.log
        if found["kind"] == "Pod" and (kind == "DELETED" or found["metadata"]["name"] != "one")
    ]
    first, second = deleted(api)
    assert changes.index(("ADDED", f"{first}-new")) < changes.index(("DELETED", second))


def test_no_pod_is_left_of_those(world: World, api: FakeApi) -> None:
    api.put(pod("fresh"))
    plan = reconcile(world, "gone")
    assert plan.components["tool"].file.restarted == 0
    assert not plan.components["tool"].changed
    assert (deleted(api), world.record.node_files["tool"].reconciled) == ([], True)


def test_a_pod_without_a_controller_stays_pending(world: World, api: FakeApi) -> None:
    api.put(pod("one"), pod("bare", owned=False))
    replaced(api)
    plan = reconcile(world, "one", "bare")
    assert (plan.components["tool"].file.restarted, deleted(api)) == (1, ["one"])
    assert plan.components["tool"].file.pending == 1
    assert not world.record.node_files["tool"].reconciled
    assert any("no controller" in event["text"] for event in world.emitted("progress"))


def test_a_replacement_that_does_not_get_ready_ends_it(world: World, api: FakeApi) -> None:
    api.put(pod("one"), pod("two"))
    replaced(api, ready=False)
    with pytest.raises(LocalloopError) as caught:
        reconcile(world, "one", "two")
    assert caught.value.reason == "reconcile_failed:tool"
    assert "0 restarted, 2 left as they were" in caught.value.message
    assert len(deleted(api)) == 1
    assert not world.record.node_files["tool"].reconciled
    file = Plan.from_dict(world.emitted("plan")[-1]["plan"]).components["tool"].file
    assert (file.failure, file.pending, file.waits) == ("pod_not_ready", 2, 1)
