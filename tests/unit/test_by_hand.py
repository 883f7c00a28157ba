"""A release takes away what people added by hand: it is handed over to Helm, and Helm drops it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi, path_of
from fake_helm import FakeHelm, helm_secret
from fake_world import World, obj, prepare

from localloop.errors import LocalloopError
from localloop.helm.additions import additions
from localloop.kube.client import ApiError
from localloop.kube.objects import ref_of
from localloop.plan.model import ComponentPlan
from localloop.record.model import ChartState

Object = dict[str, Any]
PAGE = obj("v1", "ConfigMap", "page", data={"title": "hello"})
PATH = path_of(PAGE)
RELEASED: Object = {"f:annotations": {"f:meta.helm.sh/release-name": {}}}


def entry(manager: str, operation: str, fields: Object) -> Object:
    made = {"manager": manager, "operation": operation, "apiVersion": "v1"}
    return {**made, "fieldsType": "FieldsV1", "fieldsV1": fields}


def owned(manager: str = "helm", operation: str = "Apply") -> Object:
    return entry(manager, operation, {"f:metadata": RELEASED, "f:data": {"f:title": {}}})


EDIT = entry("kubectl-edit", "Update", {"f:data": {"f:note": {}}})


def edited(*fields: Object) -> Object:
    """The page with a key that somebody added."""
    found = copy.deepcopy(PAGE)
    found["data"]["note"] = "by hand"
    found["metadata"]["managedFields"] = list(fields or (owned(), EDIT))
    return found


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
def world(tmp_path: Path, api: FakeApi, helm: FakeHelm) -> World:
    api.put(edited(), helm_secret("web", 1, PAGE))
    helm.turn(helm_secret("web", 2, PAGE))
    return World(tmp_path, api, charts={"web": {"path": "chart", "namespace": "app"}})


def release(world: World) -> ChartState:
    part = ComponentPlan("web", "chart", steps=("release",), fingerprint="fp", base_revision=1)
    world.release(world.plan(part))
    return world.record.charts["web"].target


def patches(api: FakeApi) -> list[Any]:
    return [json.loads(body) for method, path, *_, body in api.requests if method == "PATCH"]


def fields_in(patch: list[Object]) -> Object:
    """Who owns what after a patch, by manager."""
    (found,) = (each["value"] for each in patch if each["path"] == "/metadata/managedFields")
    return {each["manager"]: each["fieldsV1"] for each in found}


HELMS = {"f:metadata": RELEASED, "f:data": {"f:title": {}, "f:note": {}}}


def test_it_is_helms_before_helm_is_called(world: World, api: FakeApi, helm: FakeHelm) -> None:
    version = api.objects[PATH]["metadata"]["resourceVersion"]
    release(world)
    (patch,) = patches(api)
    assert fields_in(patch) == {"helm": HELMS}
    guard = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
    assert guard in patch  # nobody changes it in between
    asked = [(method, path) for method, path, *_ in api.requests]
    assert asked.index(("PATCH", PATH)) < asked.index(("POST", "/api/v1/namespaces/app/secrets"))
    assert len(helm.calls()) == 1


def test_helm_has_another_name(world: World, api: FakeApi) -> None:
    api.put(edited(owned("h4"), EDIT))
    release(world)
    assert fields_in(patches(api)[0]) == {"h4": HELMS}


def test_helm_has_applied_on_the_client_so_far(world: World, api: FakeApi) -> None:
    """Its apply is another manager than its update, even by the same name."""
    api.put(edited(owned(operation="Update"), EDIT))
    release(world)
    (value,) = (each["value"] for each in patches(api)[0] if "managed" in each["path"])
    assert value == [
        owned(operation="Update"),
        entry("helm", "Apply", {"f:data": {"f:note": {}}}),
    ]


def test_helm_3_leaves_it_and_it_is_taken_away_afterwards(
    world: World, api: FakeApi, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "helm"
    program.write_text(program.read_text().replace("v4.1.4", "v3.18.4"))
    release(world)
    moved, applied = patches(api)
    assert fields_in(moved) == {"helm": HELMS}
    assert (applied["data"], applied["metadata"]["namespace"]) == (PAGE["data"], "app")
    asked = [(method, path) for method, path, *_ in api.requests]
    assert asked.index(("PATCH", PATH)) > asked.index(("POST", "/api/v1/namespaces/app/secrets"))
    query = next(query for method, _, query, *_ in reversed(api.requests) if method == "PATCH")
    assert query == {"fieldManager": "helm", "force": "true"}


CONFLICT: Any = (409, {}, {"kind": "Status", "reason": "Conflict", "message": "changed"})


def test_somebody_is_faster(world: World, api: FakeApi) -> None:
    api.answers["PATCH", PATH] = [CONFLICT]
    release(world)
    assert [fields_in(patch) for patch in patches(api)] == [{"helm": HELMS}] * 2


def test_somebody_is_always_faster(world: World, api: FakeApi, helm: FakeHelm) -> None:
    api.answers["PATCH", PATH] = [CONFLICT] * 3
    with pytest.raises(ApiError, match="changed"):
        release(world)
    assert helm.calls() == []


def test_it_is_gone_meanwhile(world: World, api: FakeApi) -> None:
    gone: Any = (404, {}, {"kind": "Status", "reason": "NotFound", "message": "gone"})
    api.answers["PATCH", PATH] = [gone]
    release(world)
    assert len(patches(api)) == 1


def test_what_the_charts_hooks_did_is_left(world: World, api: FakeApi) -> None:
    noted = {str(ref_of(PAGE)): {"uid": "uid-page", "by_hand": ["data.note"]}}
    world.store.save(world.record.unsettle("web", ChartState("t", "fp", {}, objects=noted)))
    release(world)
    assert patches(api) == []


def test_what_a_killed_run_made_is_looked_at_too(world: World, api: FakeApi) -> None:
    """The record knows only the objects of the state before."""
    good = ChartState("t", "fp", {}, revision=1, manifest="m", objects={"v1/Service/app/x": {}})
    world.store.save(world.record.unsettle("web", good).settle("web", good))
    world.store.save(world.record.unsettle("web", ChartState("t2", "fp", {})))
    release(world)
    assert [fields_in(patch) for patch in patches(api)] == [{"helm": HELMS}]


def test_a_manifest_that_cannot_be_read_is_no_obstacle(world: World, api: FakeApi) -> None:
    damaged = helm_secret("web", 1, PAGE)
    damaged["data"]["release"] = "AAAA"
    api.put(damaged)
    release(world)
    assert patches(api) == []


# -- what is noted after Helm -----------------------------------------------------------------


HOOK = {"name": "seed", "manifest": json.dumps(obj("v1", "Pod", "seed")), "events": []}


@pytest.mark.parametrize(
    ("hooks", "note"),
    [([HOOK], {"by_hand": ["data.note"]}), ([], {})],
    ids=["its hooks did it", "somebody did it"],
)
def test_what_was_changed_while_helm_ran(
    hooks: list[Object], note: Object, world: World, api: FakeApi, helm: FakeHelm
) -> None:
    api.put({**PAGE, "metadata": {**PAGE["metadata"], "managedFields": [owned()]}})
    helm._turns.clear()
    helm.turn(edited(), helm_secret("web", 2, PAGE, hooks=hooks))
    (noted,) = release(world).objects.values()
    assert {key: value for key, value in noted.items() if key == "by_hand"} == note
    assert bool(noted) is bool(hooks)
    part = ComponentPlan("web", "chart", steps=("settle",), fingerprint="fp", base_revision=1)
    if hooks:
        assert world.settle(world.plan(part))
    else:
        with pytest.raises(LocalloopError, match=r"ConfigMap page: data\.note"):
            world.settle(world.plan(part))


def test_a_page_as_it_was_edited_has_an_addition() -> None:
    assert [each.field for each in additions(PAGE, edited())] == ["data.note"]
