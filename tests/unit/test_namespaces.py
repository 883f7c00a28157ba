"""The namespace of a release: made, taken over, waited for while it is being deleted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from fake_helm import FakeHelm, helm_secret
from fake_world import World, obj, prepare

from localloop.config.model import Chart
from localloop.errors import LocalloopError
from localloop.helm.releases import PROJECT_LABEL
from localloop.plan.model import ComponentPlan
from localloop.release import hook_pods, namespaces
from localloop.release.namespaces import await_end
from localloop.system.tools import Completed

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


def made(*, owner: str = "", by: str = "localloop", name: str = "app") -> Object:
    """A namespace, as it was made by one of them, and the release that it belongs to."""
    labels = {"localloop": {"name": name, PROJECT_LABEL: "x"}, "helm": {"name": name}, "hand": {}}
    found = namespace(name)
    found["metadata"]["labels"] = {**labels[by]}
    if owner:
        found["metadata"]["labels"] |= {"app.kubernetes.io/managed-by": "Helm"}
        where, _, release = owner.partition("/")
        found["metadata"]["annotations"] = {
            "meta.helm.sh/release-name": release,
            "meta.helm.sh/release-namespace": where,
        }
    return found


def test_a_missing_namespace_is_made_as_helm_would_and_known_as_ours(api: FakeApi) -> None:
    namespaces.ensure(api.kube(), "app", "demo")
    labels = api.objects["/api/v1/namespaces/app"]["metadata"]["labels"]
    assert labels == {"name": "app", PROJECT_LABEL: "demo"}
    namespaces.ensure(api.kube(), "app", "demo")
    assert len(api.methods("POST")) == 1


@pytest.mark.parametrize(("verb", "status"), [("GET", 403), ("POST", 409)])
def test_who_may_not_look_or_comes_second_uses_it(api: FakeApi, verb: str, status: int) -> None:
    path = "/api/v1/namespaces" + ("/app" if verb == "GET" else "")
    api.answers[verb, path] = [(status, {}, {"kind": "Status", "message": "no"})]
    namespaces.ensure(api.kube(), "app", "demo")


REFUSED = (
    'Error: unable to continue with install: Namespace "{}" in namespace "" exists and cannot be'
    " imported into the current release: invalid ownership metadata; label validation error"
)


@pytest.mark.parametrize(
    ("found", "said", "taken"),
    [
        pytest.param(made(), REFUSED.format("app"), True, id="made by localloop"),
        pytest.param(made(by="helm"), REFUSED.format("app"), True, id="made by Helm"),
        pytest.param(made(by="hand"), REFUSED.format("app"), False, id="made by hand"),
        pytest.param(made(owner="app/b"), REFUSED.format("app"), False, id="another release's"),
        pytest.param(made(), REFUSED.format("other"), False, id="another namespace"),
        pytest.param(made(), "Error: timed out", False, id="another error"),
    ],
)
def test_only_what_was_made_for_a_release_is_taken_over(
    api: FakeApi, found: Object, said: str, taken: bool
) -> None:
    api.put(found)
    assert namespaces.take_over(api.kube(), CHART, said) is taken
    patches = [json.loads(body) for method, *_, body in api.requests if method == "PATCH"]
    owner = {"meta.helm.sh/release-name": "page", "meta.helm.sh/release-namespace": "app"}
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    assert patches == [{"metadata": {"labels": labels, "annotations": owner}}] * taken


def test_the_releases_that_contain_a_namespace(api: FakeApi) -> None:
    api.put(made(owner="app/page"), made(by="helm", name="b"), made(owner="x/y", name="c"))
    assert namespaces.owners(api.kube()) == {"app/page", "x/y"}
    api.answers["GET", "/api/v1/namespaces"] = [(403, {}, {"kind": "Status", "message": "no"})]
    assert namespaces.owners(api.kube()) == set()


PURGE = "Error: uninstallation completed with 1 error(s): uninstall: Failed to purge the release: x"


@pytest.mark.parametrize(
    ("said", "left", "gone"),
    [
        pytest.param(PURGE, False, True, id="the Secrets went first"),
        pytest.param(PURGE, True, False, id="the release is still there"),
        pytest.param(PURGE.replace("1 error", "2 error"), False, False, id="something else too"),
        pytest.param("Error: failed to delete release: page", False, False, id="another error"),
    ],
)
def test_an_uninstall_whose_secrets_went_with_their_namespace(
    api: FakeApi, said: str, left: bool, gone: bool
) -> None:
    if left:
        api.put(helm_secret("page", 1))
    done = Completed(("helm",), 1, "", said, 0.1)
    assert namespaces.went_along(api.kube(), CHART, done, 1, lambda _text: None) is gone
    assert not namespaces.went_along(api.kube(), CHART, None, 1, lambda _text: None)


@pytest.mark.parametrize("revision", [0, 1])
def test_a_chart_with_its_own_namespace_is_released_and_keeps_its_values(
    tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch, revision: int
) -> None:
    """Whether it is the first release, or a later one that brings the Namespace along."""
    prepare(api)
    page = obj("v1", "ConfigMap", "page")
    if revision:
        api.put(made(), page, helm_secret("web", 1, page, values={"word": "first"}))
    helm = FakeHelm(tmp_path / "bin", api)
    helm.turn(code=1, stderr=REFUSED.format("app"))
    helm.turn(page, helm_secret("web", revision + 1, page))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(hook_pods, "FIRST_LOOK", 60.0)
    charts = {"web": {"path": "chart", "namespace": "app", "keep_values": ["word"]}}
    world = World(tmp_path, api, charts=charts)
    part = ComponentPlan(
        "web", "chart", steps=("release",), fingerprint="fp", base_revision=revision
    )
    world.release(world.plan(part))
    (_, first), (_, second) = helm.calls()
    assert first == second
    assert ("first" in second) is bool(revision)
    said = [event["text"] for event in world.emitted("progress")]
    assert "namespace app becomes part of the release that contains it" in said
    assert world.record.charts["web"].target.base_revision == revision


def test_one_that_was_made_by_hand_is_left_with_the_commands(
    tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(api)
    api.put(made(by="hand"))
    helm = FakeHelm(tmp_path / "bin", api)
    helm.turn(code=1, stderr=REFUSED.format("app"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(hook_pods, "FIRST_LOOK", 60.0)
    world = World(tmp_path, api, charts={"web": {"path": "chart", "namespace": "app"}})
    part = ComponentPlan("web", "chart", steps=("release",), fingerprint="fp")
    with pytest.raises(LocalloopError, match="cannot be imported") as caught:
        world.release(world.plan(part))
    assert "kubectl annotate namespace app meta.helm.sh/release-name=web" in str(caught.value.hint)
    assert len(helm.calls()) == 1
