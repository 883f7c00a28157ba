"""What charts have in ``crds/``: an edit is applied, refused by name, or failed by name."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_api import FakeApi, path_of
from print_project import write
from real_helm import needs_helm

from localloop.config.model import Chart
from localloop.config.project import load_project
from localloop.errors import LocalloopError, UsageError
from localloop.fingerprint.components import fingerprint_chart
from localloop.helm.command import Helm
from localloop.helm.crds import crds_in, dropped_versions, read_crds
from localloop.inputs.tree import removed_below
from localloop.plan.crds import refuse_crds
from localloop.plan.model import ComponentPlan, Plan
from localloop.release.crds import apply_crds

Object = dict[str, Any]
CHART = Chart(name="web", release="web", namespace="app", path="web")
ESTABLISHED = [{"type": "Established", "status": "True"}]


def definition(*versions: str, name: str = "ws.x.io", **more: Any) -> Object:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": "x.io", "versions": [{"name": version} for version in versions]},
        **more,
    }


def live(obj: Object, generation: int = 1, **status: Any) -> Object:
    """As the cluster holds it."""
    metadata = {**obj["metadata"], "uid": "u", "generation": generation}
    return {**obj, "metadata": metadata, "status": {"conditions": ESTABLISHED, **status}}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def applied(api: FakeApi, *written: Object, upgrade: bool = True) -> list[str]:
    """Apply; what was said."""
    said: list[str] = []
    apply_crds(api.kube(), CHART, written, upgrade=upgrade, say=said.append)
    return said


def patches(api: FakeApi) -> list[tuple[dict[str, str], Object]]:
    return [
        (query, json.loads(body)) for method, _, query, _, body in api.requests if method == "PATCH"
    ]


def answer(api: FakeApi, obj: Object, generation: int = 2) -> None:
    """The server's answer to an apply, after which it holds that."""
    after = live(obj, generation)
    api.answers["PATCH", path_of(obj)] = [(200, {}, after)]


def test_an_edit_is_applied_on_the_server_and_said(api: FakeApi) -> None:
    api.put(live(definition("v1"), storedVersions=["v1"]))
    edited = definition("v1", "v2")
    answer(api, edited)
    assert applied(api, {**edited, "status": {"storedVersions": []}}) == [
        "CustomResourceDefinition ws.x.io changed"
    ]
    ((query, body),) = patches(api)
    assert query == {"fieldManager": "helm", "force": "true"}
    assert body == edited


def test_what_is_the_same_is_not_spoken_of(api: FakeApi) -> None:
    api.put(live(definition("v1")))
    answer(api, definition("v1"), generation=1)
    assert applied(api, definition("v1")) == []


def test_a_new_file_is_created_on_an_upgrade_and_left_to_helm_on_an_install(api: FakeApi) -> None:
    assert applied(api, definition("v1"), upgrade=False) == []
    assert patches(api) == []
    new = definition("v1")
    answer(api, new)
    api.answers["GET", path_of(new)] = [
        (404, {}, {"kind": "Status", "code": 404}),
        (200, {}, {**live(new), "status": {}}),
        (200, {}, live(new)),
    ]
    assert applied(api, new) == ["CustomResourceDefinition ws.x.io created"]
    assert len(api.methods(f"GET {path_of(new)}")) == 4


def test_a_first_install_over_an_older_definition_applies_it(api: FakeApi) -> None:
    """Helm itself would skip it."""
    api.put(live(definition("v1")))
    answer(api, definition("v1", "v2"))
    assert applied(api, definition("v1", "v2"), upgrade=False)


def test_a_stored_version_is_not_dropped(api: FakeApi) -> None:
    api.put(live(definition("v1alpha1", "v1"), storedVersions=["v1alpha1", "v1"]))
    with pytest.raises(UsageError, match=r"ws\.x\.io no longer has v1alpha1") as caught:
        applied(api, definition("v1"))
    assert caught.value.reason == "crd_version_stored:web"
    assert patches(api) == []


def test_a_version_in_which_nothing_is_stored_may_go() -> None:
    assert dropped_versions(live(definition("a", "b"), storedVersions=["b"]), definition("b")) == []


@pytest.mark.parametrize("status", [{}, {"storedVersions": None}, {"storedVersions": "v1"}])
def test_a_status_that_says_nothing_drops_nothing(status: Object) -> None:
    assert dropped_versions(live(definition("v1"), **status), definition("v2")) == []


def test_what_another_release_has_is_left_and_said(api: FakeApi) -> None:
    owned = live(definition("v1"))
    owned["metadata"]["annotations"] = {
        "meta.helm.sh/release-name": "other",
        "meta.helm.sh/release-namespace": "ns",
    }
    api.put(owned)
    (said,) = applied(api, definition("v2"))
    assert said.endswith("belongs to release ns/other: left as it is")
    assert patches(api) == []


def test_what_the_server_refuses_fails_by_name(api: FakeApi) -> None:
    edited = definition("v1")
    api.put(live(definition("v1")))
    status = {"kind": "Status", "code": 422, "reason": "Invalid", "message": "spec.x is wrong"}
    api.answers["PATCH", path_of(edited)] = [(422, {}, status)]
    with pytest.raises(LocalloopError, match=r"ws\.x\.io cannot be applied: spec\.x") as caught:
        applied(api, edited)
    assert caught.value.reason == "crd_failed:web"


def test_names_that_are_taken_fail_by_name(api: FakeApi) -> None:
    edited = definition("v1")
    taken = [{"type": "NamesAccepted", "status": "False", "message": "ws is taken"}]
    api.put({**live(edited), "status": {"conditions": taken}})
    answer(api, edited)
    with pytest.raises(LocalloopError, match="ws is taken"):
        applied(api, edited)


def test_other_kinds_go_to_the_namespace_of_the_release(api: FakeApi) -> None:
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}}
    there = {**found, "metadata": {"name": "a", "namespace": "app", "uid": "u"}}
    api.put(there)
    after = {**there, "metadata": {**there["metadata"], "resourceVersion": "999"}}
    api.answers["PATCH", path_of(there)] = [(200, {}, after)]
    assert applied(api, found) == ["ConfigMap a changed"]


# -- reading them ------------------------------------------------------------------------------


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """A project whose chart has definitions, and a subchart that has some."""
    write(
        tmp_path / "localloop.yml",
        "version: 1\nproject: d\ncharts: {web: {path: web, namespace: app}}\n",
    )
    sub = "{name: sub, version: '*', repository: 'file://../sub', condition: sub.on}"
    need = f"dependencies: [{sub}]\n"
    write(tmp_path / "web/Chart.yaml", f"apiVersion: v2\nname: web\nversion: 0.1.0\n{need}")
    write(tmp_path / "web/values.yaml", "sub: {on: true}\n")
    two = "\n---\n".join(json.dumps(definition("v1", name=name)) for name in ("a.x", "b.x"))
    write(tmp_path / "web/crds/two.yaml", two)
    write(tmp_path / "web/templates/crds/t.yaml", json.dumps(definition("v1", name="templated")))
    write(tmp_path / "sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n")
    write(tmp_path / "sub/crds/deep/c.yaml", json.dumps(definition("v1", name="c.x")))
    return tmp_path


def session_of(root: Path, api: FakeApi) -> Any:
    version = (200, {}, {"gitVersion": "v1.34.1"})
    api.answers["GET", "/version"] = [version, version, version]
    project = load_project(root, environ={})
    prints = SimpleNamespace(values_of=lambda chart: chart.values)
    return SimpleNamespace(
        project=project,
        kube=api.kube(),
        kubeconfig=root / "k",
        context="c",
        fingerprints=prints,
        repository=lambda name: f"r/{name}",
    )


def names(root: Path, api: FakeApi, **values: Any) -> list[str]:
    session = session_of(root, api)
    runner = Helm(session.kubeconfig, "c")
    chart = session.project.charts["web"]
    if (root / "sub").exists() and not (root / "web/charts").exists():
        subprocess.run(["helm", "dependency", "build", root / "web"], check=True)
    found = read_crds(session.kube, runner, chart, root / "web", values=values, values_files=[])
    return [each["metadata"]["name"] for each in found]


@needs_helm
def test_those_of_the_chart_and_of_subcharts_that_are_enabled(charts: Path, api: FakeApi) -> None:
    assert names(charts, api) == ["a.x", "b.x", "c.x"]
    assert names(charts, api, sub={"on": False}) == ["a.x", "b.x"]
    assert names(charts, api, sub={"on": True}) == ["a.x", "b.x", "c.x"]


@needs_helm
def test_a_chart_without_any_asks_nobody(tmp_path: Path, api: FakeApi) -> None:
    write(
        tmp_path / "localloop.yml",
        "version: 1\nproject: d\ncharts: {web: {path: web, namespace: app}}\n",
    )
    write(tmp_path / "web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")
    write(tmp_path / "web/templates/a.yaml", "{{ fail `rendered` }}")
    assert names(tmp_path, api) == []
    assert api.requests == []


@needs_helm
@pytest.mark.parametrize(
    "condition",
    [
        'not (lookup "v1" "Namespace" "" "default")',
        'not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")',
    ],
)
def test_a_chart_that_only_renders_with_the_cluster_has_them_too(
    charts: Path, api: FakeApi, condition: str
) -> None:
    write(
        charts / "web/templates/a.yaml", f"{{{{ if {condition} }}}}{{{{ fail `no` }}}}{{{{ end }}}}"
    )
    assert sorted(names(charts, api)) == ["a.x", "b.x", "c.x"]


@needs_helm
@pytest.mark.parametrize("text", ["a: [", "- a"])
def test_a_file_that_cannot_be_read_is_named(charts: Path, api: FakeApi, text: str) -> None:
    write(charts / "web/crds/two.yaml", text)
    with pytest.raises(LocalloopError) as caught:
        names(charts, api)
    assert caught.value.reason == "crds_unreadable:web"


@needs_helm
def test_the_chart_sees_the_version_of_the_server(charts: Path, api: FakeApi) -> None:
    about = charts / "web/Chart.yaml"
    about.write_text(about.read_text("utf-8") + "kubeVersion: '1.34.1'\n", "utf-8")
    assert names(charts, api)


def test_only_what_lies_under_crds_is_one() -> None:
    one = json.dumps(definition("v1"))
    places = ("a/crds/x.yaml", "a/charts/b/charts/c/crds/d/x.yaml")
    others = ("a/templates/crds/x.yaml", "a/charts/b/templates/x.yaml", "crds/templates/x.yaml")
    text = "".join(f"---\n# Source: {path}\n{one}\n" for path in (*places, *others))
    assert len(list(crds_in(text))) == len(places)
    assert list(crds_in("")) == []


# -- before anything is changed ----------------------------------------------------------------


def refusing(root: Path, api: FakeApi) -> None:
    part = ComponentPlan("web", "chart", steps=("release",), base_revision=1)
    plan = Plan("d", str(root), "", "auto", (), {"verdict": "ok", "reason": ""}, {"web": part})
    refuse_crds(cast("Any", session_of(root, api)), plan)


@needs_helm
def test_a_dropped_version_is_refused_before_anything_changes(charts: Path, api: FakeApi) -> None:
    api.put(live(definition("v0", "v1", name="c.x"), storedVersions=["v0"]))
    with pytest.raises(UsageError) as caught:
        refusing(charts, api)
    assert caught.value.reason == "crd_version_stored:web"
    assert [query.get("dryRun") for query, _ in patches(api)] == ["All", "All"]


@needs_helm
def test_what_the_server_would_refuse_is_refused(charts: Path, api: FakeApi) -> None:
    status = {"kind": "Status", "code": 422, "reason": "Invalid", "message": "spec.x is wrong"}
    api.answers["PATCH", path_of(definition("v1", name="b.x"))] = [(422, {}, status)]
    with pytest.raises(UsageError, match=r"b\.x: spec\.x is wrong") as caught:
        refusing(charts, api)
    assert caught.value.reason == "crd_refused:web"
    write(charts / "web/values.yaml", "a: [")
    refusing(charts, api)  # the release says so


# -- files that are gone -----------------------------------------------------------------------


def test_a_file_that_is_gone_is_found_and_one_that_moved_is_not(charts: Path) -> None:
    def found() -> Any:
        project = load_project(charts, environ={})
        return fingerprint_chart(project, project.charts["web"]).tree

    before = found()
    (charts / "sub/crds/deep/c.yaml").rename(charts / "sub/crds/c.yaml")
    (charts / "web/templates/crds/t.yaml").rename(charts / "web/templates/t.yaml")
    assert removed_below("crds", before, found()) == []
    (charts / "sub/crds/c.yaml").unlink()
    (charts / "web/crds/two.yaml").unlink()
    assert removed_below("crds", before, found()) == ["../sub/crds/deep/c.yaml", "crds/two.yaml"]
