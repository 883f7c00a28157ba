"""The note on namespace ``localloop``: written, read, damaged, and one a project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_api import NAMESPACE, FakeApi

from localloop.record.cluster_inputs import ACCEPTED, BOOTSTRAPPED, Noted, annotation, load, save


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def test_it_is_read_as_it_was_written(api: FakeApi) -> None:
    kube = api.kube()
    assert load(kube, "demo") is None
    first = Noted("a" * 64, BOOTSTRAPPED, "tx-1")
    save(kube, "demo", first)  # no namespace yet
    assert load(kube, "demo") == first
    second = Noted("b" * 64, ACCEPTED, "tx-2")
    save(kube, "demo", second)
    assert load(kube, "demo") == second


def test_projects_do_not_speak_for_each_other(api: FakeApi) -> None:
    kube = api.kube()
    one, two = Noted("a" * 64, BOOTSTRAPPED, "tx-1"), Noted("b" * 64, ACCEPTED, "tx-2")
    save(kube, "one", one)
    save(kube, "two", two)
    assert (load(kube, "one"), load(kube, "two")) == (one, two)
    assert load(kube, "three") is None


@pytest.mark.parametrize("text", ["", "[", "{}", '{"fingerprint": "a"}', "null", '"x"'])
def test_what_is_not_ours_says_nothing(api: FakeApi, text: str) -> None:
    kube = api.kube()
    save(kube, "demo", Noted("a" * 64, BOOTSTRAPPED, "tx-1"))
    api.objects[NAMESPACE]["metadata"]["annotations"][annotation("demo")] = text
    assert load(kube, "demo") is None


def test_reading_it_is_one_request(api: FakeApi) -> None:
    kube = api.kube()
    load(kube, "demo")
    assert api.methods() == [f"GET {NAMESPACE}"]
