"""Drift: what the API server would change, were the manifest applied again."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from fake_api import FakeApi, path_of

from localloop.kube.client import Kube
from localloop.kube.objects import ref_of
from localloop.observe.drift import drifted_fields

Object = dict[str, Any]
WANTED: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "app", "labels": {"a": "🚀"}},
    "spec": {"clusterIP": "", "ports": [{"port": 80, "nodePort": 0}], "unknown": 1},
}
LIVE: Object = {
    **WANTED,
    "metadata": {**WANTED["metadata"], "uid": "u", "labels": {"a": "🚀", "by": "Helm"}},
    "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30080}]},
}


def with_port(obj: Object, port: int) -> Object:
    found = copy.deepcopy(obj)
    found["spec"]["ports"][0]["port"] = port
    return found


@pytest.mark.parametrize(
    ("live", "applied", "fields"),
    [
        (LIVE, (200, {}, LIVE), []),
        (with_port(LIVE, 81), (200, {}, LIVE), ["spec.ports[0].port"]),
        (
            with_port(LIVE, 81),
            (422, {}, {"kind": "Status", "reason": "Invalid"}),
            ["spec.clusterIP", "spec.ports[0].port", "spec.ports[0].nodePort", "spec.unknown"],
        ),
    ],
)
def test_what_seems_to_differ_is_asked_of_the_server(
    live: Object, applied: tuple[int, dict[str, str], Any], fields: list[str]
) -> None:
    with FakeApi() as api:
        api.answers[("PATCH", path_of(WANTED))] = [applied]
        found = drifted_fields(api.kube(), ref_of(WANTED), WANTED, live)
        (request,) = (each for each in api.requests if each[0] == "PATCH")
    assert found == fields
    _, _, query, headers, body = request
    assert query == {"fieldManager": "helm", "dryRun": "All", "force": "true"}
    assert headers["content-type"] == "application/apply-patch+yaml"
    assert "🚀".encode() in body  # a surrogate pair is no YAML


def test_what_is_equal_costs_no_request() -> None:
    same = {**WANTED, "spec": {**WANTED["spec"], "type": "ClusterIP"}}
    kube: Kube = None  # type: ignore[assignment]
    assert drifted_fields(kube, ref_of(WANTED), WANTED, same) == []
