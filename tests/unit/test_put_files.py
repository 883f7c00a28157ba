"""Putting node files: what is on the node afterwards, and what the record says of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from fake_world import NODE, World, obj, prepare

from localloop.errors import BusyError, LocalloopError
from localloop.node_files.put import put_files
from localloop.plan.model import ComponentPlan, FilePlan, Plan, Reason
from localloop.record.model import NodeFileEntry

Object = dict[str, Any]
DEST = "/opt/demo/bin/tool"
BYTES = b"the tool"
SHA256 = sha256(BYTES).hexdigest()
RECONCILE = {"namespace": "app", "selector": "app=user"}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        prepare(fake)
        yield fake


@pytest.fixture
def world(tmp_path: Path, api: FakeApi) -> World:
    tool = {"dockerfile": "Dockerfile", "file": "tool", "dest": DEST, "owner": "7:8"}
    return World(tmp_path, api, node_files={"tool": {**tool, "reconcile": RECONCILE}})


def pod(name: str, **labels: str) -> Object:
    found = obj("v1", "Pod", name, status={"phase": "Running"})
    found["metadata"]["labels"] = labels or {"app": "user"}
    return found


def part_of(world: World, **changes: Any) -> ComponentPlan:
    image = world.images.publish("tool", tool=BYTES)
    steps = ("put", "reconcile")
    return ComponentPlan("tool", "node_file", steps, fingerprint="fp", image=image, **changes)


def put(world: World, plan: Plan) -> Plan:
    return put_files(world.session, plan, world.journal, world.events.append)


def test_the_file_is_on_the_node_and_in_the_record(world: World, api: FakeApi) -> None:
    api.put(pod("one"), pod("two"), pod("other", app="x"))
    plan = put(world, world.plan(part_of(world)))
    assert world.node.files == {DEST: (BYTES, 0o755, (7, 8))}
    entry = world.record.node_files["tool"]
    assert entry == NodeFileEntry(
        transaction="tx-1",
        fingerprint="fp",
        sha256=SHA256,
        put=True,
        reconciled=False,
        nodes={NODE: {"size": len(BYTES), "mode": 0o755, "mtime": "1"}},
        pods=("uid-one", "uid-two"),
    )
    part = plan.components["tool"]
    assert (part.changed, part.file.sha256, part.file.pending) == (True, SHA256, 2)
    assert plan.serial == world.record.serial == 2
    assert [event["name"] for event in world.emitted("span")] == ["tool_build_deploy"]


def test_the_proof_is_of_the_bytes_that_were_put(world: World) -> None:
    """Also where nothing was compared before, as on a cluster that was just made."""
    for given in ("", "0" * 64):
        put(world, world.plan(part_of(world, file=FilePlan(sha256=given))))
        assert world.record.node_files["tool"].sha256 == SHA256


def test_without_pods_there_is_nothing_to_reconcile(world: World) -> None:
    put(world, world.plan(part_of(world)))
    assert world.record.node_files["tool"].reconciled


def test_inputs_that_moved_leave_no_fingerprint(world: World) -> None:
    put(world, world.plan(part_of(world, moved=True)))
    assert world.record.node_files["tool"].fingerprint == ""


def test_a_node_that_only_lost_the_bytes_leaves_its_pods_alone(world: World, api: FakeApi) -> None:
    api.put(pod("one"), pod("two"))
    before = NodeFileEntry(
        "tx-0", "fp", SHA256, put=True, nodes={NODE: {"size": 1}}, pods=("uid-two",)
    )
    world.store.save(world.record.with_file("tool", before))
    put(world, world.plan(part_of(world, reasons=(Reason("node_lost", NODE),))))
    assert world.record.node_files["tool"].pods == ("uid-two",)


@pytest.mark.parametrize("program", ["mkdir", "mv"])
def test_a_put_that_fails_is_in_the_record_as_begun(world: World, program: str) -> None:
    world.node.fails = program
    with pytest.raises(LocalloopError) as caught:
        put(world, world.plan(part_of(world)))
    assert caught.value.reason == "put_failed:tool"
    entry = world.record.node_files["tool"]
    assert (entry.put, entry.sha256, entry.nodes) == (False, SHA256, {})
    assert DEST not in world.node.files


def test_bytes_that_arrive_damaged_take_no_place(world: World) -> None:
    world.node.damages = True
    with pytest.raises(LocalloopError) as caught:
        put(world, world.plan(part_of(world)))
    assert caught.value.reason == "node_file_damaged:tool"
    assert world.node.files == {}
    assert not world.record.node_files["tool"].put


def test_an_image_that_the_registry_lost(world: World) -> None:
    part = part_of(world)
    assert part.image is not None
    world.images.forget(part.image)
    with pytest.raises(LocalloopError) as caught:
        put(world, world.plan(part))
    assert caught.value.reason == "registry_lost"
    assert "tool" not in world.record.node_files


def test_a_record_that_moved_since_the_plan(world: World) -> None:
    plan = replace(world.plan(part_of(world)), serial=7)
    with pytest.raises(BusyError):
        put(world, plan)
    assert world.node.files == {}
