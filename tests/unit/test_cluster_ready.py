"""When a cluster that was started again serves, whatever its API server still says of before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from localloop.cluster.ready import wait_until_ready
from localloop.errors import LocalloopError

SINCE = 1_800_000_000.0
NODE = "demo-control-plane"
RESTARTED = {NODE: SINCE}


def at(seconds: float) -> str:
    """A time as the API server writes it, relative to the start."""
    return datetime.fromtimestamp(SINCE + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(started: float, *, ready: bool = True, node: str = NODE, **metadata: Any) -> dict[str, Any]:
    running = {"running": {"startedAt": at(started)}}
    return {
        "metadata": {"namespace": "hello", "name": "web-1", **metadata},
        "spec": {"nodeName": node},
        "status": {
            "containerStatuses": [{"ready": ready, "state": running}],
            "podIPs": [{"ip": "10.244.0.9"}],
        },
    }


def endpoint(address: str, *, ready: bool = True, pod: str = "web-1") -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": {"ready": ready},
        "targetRef": {"kind": "Pod", "namespace": "hello", "name": pod},
    }


class Api:
    """A cluster that is as it should be, but for what a test changes."""

    def __init__(self, *pods: dict[str, Any], renewed: float = 1, available: int = 1) -> None:
        self.answers = True
        self.endpoints: list[dict[str, Any]] = []
        self._pods = list(pods)
        self._available = available
        ready = {"type": "Ready", "status": "True"}
        self._nodes = [{"metadata": {"name": NODE}, "status": {"conditions": [ready]}}]
        self._leases = [{"metadata": {"name": NODE}, "spec": {"renewTime": at(renewed)}}]

    def ready(self, timeout: float) -> bool:
        return self.answers

    def list(self, _version: str, kind: str, _namespace: str) -> tuple[list[Any], str]:
        metadata = {"namespace": "hello", "name": "web-x"}
        slices = [{"metadata": metadata, "endpoints": self.endpoints}]
        return {
            "Node": self._nodes,
            "Lease": self._leases,
            "Pod": self._pods,
            "EndpointSlice": slices,
        }[kind], "1"

    def get(self, _path: str) -> dict[str, Any]:
        return {"status": {"availableReplicas": self._available}}


def missing(api: Api, *, restarted: Mapping[str, float] = RESTARTED) -> str:
    """What the wait ends with; empty if it ends well."""
    cluster: Any = api
    try:
        wait_until_ready(
            cluster, [NODE], since=SINCE, restarted=restarted, seconds=0, say=lambda _: None
        )
    except LocalloopError as error:
        assert error.reason == "cluster_not_ready"
        return error.message.partition(": ")[2]
    return ""


def test_all_is_there() -> None:
    assert missing(Api(pod(5))) == ""


def test_no_answer() -> None:
    api = Api()
    api.answers = False
    assert missing(api) == "the API server does not answer"


def test_a_node_whose_kubelet_has_not_reported_yet() -> None:
    assert missing(Api(renewed=-5)) == f"{NODE} not Ready"


def test_service_names() -> None:
    assert missing(Api(available=0)) == "CoreDNS is not available"


def test_a_pod_that_claims_to_be_ready_with_a_container_of_before() -> None:
    assert missing(Api(pod(-60))) == "pod hello/web-1 not up to date"


@pytest.mark.parametrize(
    "other",
    [
        pod(-60, ready=False),
        pod(-60, node="demo-worker"),
        pod(-60, deletionTimestamp=at(-1)),
        pod(0),
    ],
    ids=["not ready", "on a node that ran on", "being deleted", "in the same second"],
)
def test_other_pods_are_not_waited_for(other: dict[str, Any]) -> None:
    assert missing(Api(other)) == ""


@pytest.mark.parametrize(
    ("one", "stale"),
    [
        (endpoint("10.244.0.2"), True),
        (endpoint("10.244.0.9"), False),
        (endpoint("10.244.0.2", ready=False), False),
        (endpoint("10.244.0.2", pod="elsewhere"), False),
        ({"addresses": ["192.0.2.1"], "conditions": {"ready": True}}, False),
    ],
    ids=["of before", "of now", "not ready", "on a node that ran on", "of no pod"],
)
def test_a_service_with_an_address_of_before(one: dict[str, Any], stale: bool) -> None:
    api = Api(pod(5))
    api.endpoints = [one]
    assert missing(api) == ("endpoints hello/web-x not up to date" if stale else "")


def test_after_a_pause_pods_are_those_of_before() -> None:
    assert missing(Api(pod(-60)), restarted={}) == ""
