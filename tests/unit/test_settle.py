"""Settling: what the gate has passed becomes the record's word, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi, path_of
from fake_helm import helm_secret
from fake_world import NODE, World, obj, prepare

from localloop.cluster.identity import pinned_uid
from localloop.errors import BusyError, LocalloopError
from localloop.fingerprint.explain import load_manifest
from localloop.gate.run import NotReadyError
from localloop.gate.settle import settle
from localloop.kube.objects import object_version, ref_of
from localloop.plan.compare import SAME
from localloop.plan.model import ComponentPlan
from localloop.record.model import ChartState, ImageEntry, NodeFileEntry

PAGE = obj("v1", "ConfigMap", "page", data={"title": "new"})
JOB = "batch/v1/Job/app/migrate"
NOTED = ChartState(
    transaction="tx-1",
    fingerprint="fp",
    images={},
    revision=1,
    manifest="m",
    objects={"v1/ConfigMap/app/page": {"uid": "u"}, JOB: {"uid": "j"}},
)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        prepare(fake)
        yield fake


@pytest.fixture
def world(tmp_path: Path, api: FakeApi) -> World:
    build = {"dockerfile": "Dockerfile"}
    return World(
        tmp_path,
        api,
        images={"web": build},
        node_files={"tool": {**build, "file": "tool", "dest": "/opt/tool"}},
        charts={"page": {"path": "chart", "namespace": "app"}},
    )


def chart(*steps: Any) -> ComponentPlan:
    return ComponentPlan("page", "chart", steps=steps, fingerprint="fp")


def image(world: World, **changes: Any) -> ComponentPlan:
    published = world.images.publish("web", page=b"a page")
    return ComponentPlan("web", "image", fingerprint="fp-web", image=published, **changes)


def settled(world: World, *parts: ComponentPlan, completed: frozenset[str] = frozenset()) -> bool:
    return settle(world.session, world.plan(*parts), world.events.append, completed)


def settled_names(world: World) -> list[str]:
    return [name for event in world.emitted("settled") for name in event["components"]]


def test_a_released_chart(world: World) -> None:
    world.store.save(world.record.unsettle("page", NOTED))
    assert settled(world, chart("release"), completed=frozenset({JOB, "batch/v1/Job/x/y"}))
    entry = world.record.charts["page"]
    assert (entry.state, entry.last_good) == ("settled", None)
    assert entry.target == replace(NOTED, completed_jobs=(JOB,), settled=2)
    assert [state.revision for state in entry.history] == [1]
    assert settled_names(world) == ["page"]


def test_a_chart_that_was_not_touched_stays_as_it_is(world: World) -> None:
    world.store.save(world.record.unsettle("page", NOTED))
    assert not settled(world, chart())
    assert (world.record.charts["page"].state, settled_names(world)) == ("settling", [])


def test_a_chart_of_which_a_killed_run_noted_nothing(world: World, api: FakeApi) -> None:
    api.put(PAGE, helm_secret("page", 1, PAGE))
    world.store.save(world.record.unsettle("page", ChartState("tx-1", "fp", {})))
    assert settled(world, chart("settle"))
    target = world.record.charts["page"].target
    assert (target.revision, list(target.objects)) == (1, ["v1/ConfigMap/app/page"])
    assert target.manifest and target.created


def test_a_chart_that_another_run_removed_from_the_record(world: World) -> None:
    with pytest.raises(BusyError, match="no longer knows page"):
        settled(world, chart("release"))


def test_an_image_that_was_found_or_built(world: World) -> None:
    part = image(world, skip="in_registry")
    assert settled(world, part)
    assert part.image is not None
    assert world.record.images == {"web": ImageEntry("fp-web", part.image)}
    assert settled_names(world) == ["web"]
    assert not settled(world, part)  # nothing is new: nothing is written
    assert world.record.serial == 1


def test_an_image_that_was_not_asked_for(world: World) -> None:
    assert not settled(world, image(world, skip="not_targeted"))


def test_an_image_whose_inputs_moved_is_forgotten(world: World) -> None:
    settled(world, image(world, skip="in_registry"))
    assert settled(world, image(world, steps=("build", "publish"), moved=True))
    assert world.record.images == {}


def test_other_sources_that_build_the_same_file(world: World) -> None:
    entry = NodeFileEntry("tx-0", "fp-old", "a" * 64, put=True, nodes={NODE: {"size": 1}})
    world.store.save(world.record.with_file("tool", entry))
    same = ComponentPlan("tool", "node_file", skip=SAME, fingerprint="fp-new")
    assert not settled(world, replace(same, moved=True))
    assert settled(world, same)
    assert world.record.node_files["tool"] == replace(entry, fingerprint="fp-new")
    assert settled_names(world) == ["tool"]


def test_a_node_that_is_gone_is_forgotten(world: World) -> None:
    entry = NodeFileEntry(
        "tx-0", "fp", "a" * 64, put=True, nodes={NODE: {"size": 1}, "demo-worker": {"size": 1}}
    )
    world.store.save(world.record.with_file("tool", entry))
    assert settled(world)
    assert world.record.node_files["tool"] == replace(entry, nodes={NODE: {"size": 1}})
    assert settled_names(world) == []


def test_what_later_plans_compare_with_is_kept_after_a_failed_gate_too(
    world: World, api: FakeApi
) -> None:
    """So that the next plan names what was changed to mend it."""
    pod = obj("v1", "Pod", "page", spec={"restartPolicy": "Never"}, status={"phase": "Failed"})
    api.put(pod, helm_secret("page", 1, pod))
    world.store.save(world.record.unsettle("page", ChartState("tx-1", "fp", {})))
    with pytest.raises(NotReadyError, match="pod_failed:page"):
        world.settle(world.plan(chart("release")))
    root, fingerprints = world.session.project.root, world.session.fingerprints
    for name in ("web", "tool", "page"):
        assert load_manifest(root, fingerprints.of(name).value) is not None
    assert pinned_uid(world.session.pin) == ""  # only what is proven is


def test_what_later_plans_compare_with_is_kept_here(world: World) -> None:
    """The cluster's identity, and the inputs' manifests: also where the record stays as it is."""
    assert not settled(world)
    assert pinned_uid(world.session.pin) == "uid-kube-system"
    root, fingerprints = world.session.project.root, world.session.fingerprints
    for name in ("web", "tool", "page"):
        assert load_manifest(root, fingerprints.of(name).value) is not None


def deployment(replicas: int) -> Any:
    return obj("apps/v1", "Deployment", "web", spec={"replicas": replicas})


def put_live(api: FakeApi, live: Any, generation: int) -> dict[str, Any]:
    """An object in the cluster; its note, as of right after Helm."""
    api.put({**live, "metadata": {**live["metadata"], "generation": generation}})
    return object_version(api.objects[path_of(live)])


def test_what_was_scaled_to_nothing_meanwhile_is_not_settled(world: World, api: FakeApi) -> None:
    """It is ready (0 of 0), but it is not what this tree deploys."""
    wanted = deployment(2)
    api.put(helm_secret("page", 1, wanted))
    noted = {str(ref_of(wanted)): put_live(api, wanted, 1)}
    put_live(api, deployment(0), 2)
    world.store.save(world.record.unsettle("page", replace(NOTED, objects=noted)))
    with pytest.raises(LocalloopError, match=r"Deployment web: spec\.replicas") as caught:
        settled(world, chart("release"))
    assert caught.value.reason == "changed_by_hand:page"
    assert world.record.charts["page"].state == "settling"
    assert not settled(world, chart())  # a chart without steps is as it was planned


def test_what_an_autoscaler_scaled_meanwhile_is_told_and_settled(
    world: World, api: FakeApi
) -> None:
    wanted, scaled = deployment(2), deployment(5)
    api.put(helm_secret("page", 1, wanted))
    ref = str(ref_of(wanted))
    noted = {ref: put_live(api, wanted, 1)}
    owner: Any = {
        "manager": "kube-controller-manager",
        "subresource": "scale",
        "apiVersion": "apps/v1",
    }
    owner["fieldsV1"] = {"f:spec": {"f:replicas": {}}}
    scaled["metadata"]["managedFields"] = [owner]
    put_live(api, scaled, 2)
    world.store.save(world.record.unsettle("page", replace(NOTED, objects=noted)))
    assert settled(world, chart("release"))
    (text,) = (event["text"] for event in world.emitted("progress"))
    assert text.startswith("Deployment web: spec.replicas is left as kube-controller-manager set")
    assert world.record.charts["page"].target.objects[ref]["left"]  # it is not told again


def test_what_was_scaled_after_a_killed_run_is_not_settled_either(
    world: World, api: FakeApi
) -> None:
    api.put(helm_secret("page", 1, deployment(2)))
    put_live(api, deployment(0), 2)
    world.store.save(world.record.unsettle("page", ChartState("tx-1", "fp", {})))
    with pytest.raises(LocalloopError, match=r"Deployment web: spec\.replicas"):
        settled(world, chart("settle"))


def test_what_only_moved_meanwhile_is_noted_anew(world: World, api: FakeApi) -> None:
    wanted = deployment(2)
    api.put(helm_secret("page", 1, wanted))
    ref = str(ref_of(wanted))
    noted = {ref: put_live(api, wanted, 1)}
    moved = put_live(api, wanted, 2)
    world.store.save(world.record.unsettle("page", replace(NOTED, objects=noted)))
    assert settled(world, chart("settle"))
    assert world.record.charts["page"].target.objects == {ref: moved}
