"""Fields that the server filled in, found and handed to Helm: its answers are scripted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fake_api import FakeApi, path_of
from test_immutable import refuse, refused

from localloop.kube.objects import ref_of
from localloop.release.server_defaults import InTheWay, find_in_the_way, hand_to_helm

Object = dict[str, Any]
ROLLING = {"maxSurge": "25%", "maxUnavailable": "25%"}
FIELD = "spec.strategy.rollingUpdate"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def owned(by: str, tree: Object) -> Object:
    return {
        "manager": by,
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": tree},
    }


def deployment(*managed: Object) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "app", "managedFields": list(managed)},
        "spec": {"x": "old", "strategy": {"type": "RollingUpdate", "rollingUpdate": ROLLING}},
    }


def test_a_default_in_the_way_becomes_helms(api: FakeApi) -> None:
    web = deployment(owned("helm", {"f:x": {}}), owned("kubectl", {"f:replicas": {}}))
    api.put(web)
    refuse(api, web, 422, FIELD)
    (found,) = find_in_the_way(api.kube(), refused(api, web))
    assert (found, str(found)) == (
        InTheWay(ref_of(web), (FIELD,)),
        f"Deployment web: {FIELD}",
    )
    dry_runs = [request for request in api.requests if request[0] == "PATCH"]
    assert [request[2].get("dryRun") for request in dry_runs] == ["All", "All"]

    hand_to_helm(api.kube(), found, "helm")
    changes = {each["path"]: each["value"] for each in json.loads(api.requests[-1][4])}
    assert set(changes) == {"/metadata/managedFields", "/metadata/resourceVersion"}
    helms, others = changes["/metadata/managedFields"]
    rolling = {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}
    assert helms["fieldsV1"] == {"f:spec": {"f:x": {}, "f:strategy": {"f:rollingUpdate": rolling}}}
    assert others == owned("kubectl", {"f:replicas": {}})


def test_what_somebody_set_is_no_default(api: FakeApi) -> None:
    tree = {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}
    web = deployment(owned("helm", {"f:x": {}}), owned("somebody", tree))
    api.put(web)
    refuse(api, web, 422, FIELD)
    assert find_in_the_way(api.kube(), refused(api, web)) == []


@pytest.mark.parametrize("field", ["spec.selector", "spec.template.spec.containers[0].image", "x"])
def test_what_is_refused_for_itself_is_no_default(api: FakeApi, field: str) -> None:
    web = deployment(owned("helm", {"f:x": {}, "f:selector": {}}))
    api.put(web)
    refuse(api, web, 422, field)
    assert find_in_the_way(api.kube(), refused(api, web)) == []


def test_without_the_field_it_has_to_be_accepted(api: FakeApi) -> None:
    web = deployment(owned("helm", {"f:x": {}}))
    api.put(web)
    refuse(api, web, 422, FIELD, "spec.selector")
    api.answers["PATCH", path_of(web)] *= 2
    assert find_in_the_way(api.kube(), refused(api, web)) == []
