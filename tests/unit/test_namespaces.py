"""Waiting for a namespace that is being deleted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fake_api import FakeApi

from localloop.config.model import Chart
from localloop.errors import LocalloopError
from localloop.release.namespaces import await_end

Object = dict[str, Any]
CHART = Chart(name="page", release="page", namespace="app")
HELD = "Some content in the namespace has finalizers remaining: example.org/kept"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        fake.put(namespace("other"))
        yield fake


def namespace(name: str = "app", *, going: bool = False, said: str = "") -> Object:
    metadata: Object = {"name": name}
    status: Object = {"phase": "Active"}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        conditions = [{"type": "NamespaceDeletionContentFailure", "status": "False"}]
        if said:
            conditions.append({"type": "Remaining", "status": "True", "message": said})
        status = {"phase": "Terminating", "conditions": conditions}
    spec = {"finalizers": ["kubernetes"]}
    return {
        **{"apiVersion": "v1", "kind": "Namespace"},
        **{"metadata": metadata, "spec": spec, "status": status},
    }


def waited(api: FakeApi, timeout: float = 20) -> tuple[bool, list[str]]:
    lines: list[str] = []
    return await_end(api.kube(), CHART, timeout, lines.append), lines


def test_one_that_stays_or_is_not_there_costs_one_read(api: FakeApi) -> None:
    assert waited(api) == (False, [])
    api.put(namespace())
    assert waited(api) == (False, [])
    assert api.methods() == ["GET /api/v1/namespaces/app"] * 2


@pytest.mark.parametrize("broken", [False, True], ids=["one stream", "a stream that breaks"])
def test_one_that_goes_is_waited_for(api: FakeApi, broken: bool) -> None:
    api.put(namespace(going=True))

    def go() -> None:
        if broken:
            _once_watched(api)
            api.drop_watches()
        _once_watched(api)
        api.put(namespace("other"))
        api.remove(namespace())

    beside = threading.Thread(target=go)
    beside.start()
    assert waited(api) == (True, ["waits: namespace app is being deleted"])
    beside.join()
    assert len(api.methods("GET /api/v1/namespaces")) <= 8  # nothing polls


def _once_watched(api: FakeApi) -> None:
    deadline = time.monotonic() + 10
    while not api.watching and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize(("said", "held"), [(HELD, HELD), ("", "finalizers kubernetes")])
def test_one_that_something_holds_is_named(api: FakeApi, said: str, held: str) -> None:
    api.put(namespace(going=True, said=said))
    began = time.monotonic()
    with pytest.raises(LocalloopError, match=f"still being deleted after 1 s: {held}") as caught:
        waited(api, timeout=1)
    assert caught.value.reason == "namespace_terminating:page"
    assert "kubectl get namespace app -o yaml" in (caught.value.hint or "")
    assert 1 <= time.monotonic() - began < 5
