"""Images of the project in what charts render: pull policies and tags that could never work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from real_helm import needs_helm

from localloop.cluster.route import OURS, Route
from localloop.config.project import load_project
from localloop.errors import LocalloopError, UsageError
from localloop.plan.model import ComponentPlan, Plan
from localloop.plan.rendered_images import refuse_unservable_images

LOAD = Route(name="load")
SHARED = Route(name="shared")
PULL = Route(name="registry", push="localhost:5001", pull="localhost:5001")
WEB = "127.0.0.1:5000/demo/web"
TAG = f"d-{'01' * 10}"


class FakeRegistry:
    """A registry that holds some tags of ``demo/web``; it counts what it is asked."""

    def __init__(self, *tags: str, answers: bool = True) -> None:
        self.tags, self.answers, self.asked = tags, answers, 0

    def manifest(self, repository: str, tag: str) -> object | None:
        self.asked += 1
        if not self.answers:
            raise LocalloopError("registry_unreachable", "it does not answer")
        return object() if repository == "demo/web" and tag in self.tags else None


def session_of(
    root: Path, chart: Mapping[str, Any], route: Route, registry: FakeRegistry | None = None
) -> Any:
    config = {
        "version": 1,
        "project": "demo",
        "images": {"web": {"dockerfile": "Dockerfile"}},
        "charts": {"page": {"namespace": "demo", **chart}},
    }
    (root / "localloop.yml").write_text(yaml.safe_dump(config))
    return SimpleNamespace(
        project=load_project(root, environ={}),
        route=route,
        provider=SimpleNamespace(owns=route == OURS),
        registry=registry or FakeRegistry(),
        kubeconfig=root / "kubeconfig",
        context="kind-demo",
        fingerprints=SimpleNamespace(values_of=lambda chart: chart.values),
        repository=lambda name: f"127.0.0.1:5000/demo/{name}",
        repository_name=lambda name: f"demo/{name}",
    )


def refuse(session: Any, consumes: tuple[str, ...] = ("web",), *, previous: str = "old") -> None:
    part = ComponentPlan(
        "page", "chart", ("release",), consumes=consumes, fingerprint="new", previous=previous
    )
    parts = {"page": part}
    plan = Plan("demo", "/", "", "auto", (), {"verdict": "ok"}, parts, route=session.route)
    refuse_unservable_images(session, plan)


def check(
    root: Path,
    image: str,
    policy: str | None,
    route: Route,
    *,
    registry: FakeRegistry | None = None,
    kind: str = "containers",
    previous: str = "old",
) -> None:
    container: dict[str, Any] = {"name": "web", "image": image}
    if policy:
        container["imagePullPolicy"] = policy
    spec = {"sidecars": [{"image": f"{WEB}:v7"}], "env": {"image": f"{WEB}:v7"}}
    template = {"spec": {"volumes": [spec], kind: [
        {"image": "busybox", "imagePullPolicy": "Always"}, container]}}  # fmt: skip
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "page"},
                  "spec": {"template": template}}  # fmt: skip
    (root / "page.yaml").write_text(yaml.safe_dump(deployment))
    chart = {"manifests": ["page.yaml"], "images": ["web"]}
    refuse(session_of(root, chart, route, registry), previous=previous)


@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize(
    ("image", "policy", "route"),
    [
        ("web", "Always", LOAD),
        (WEB, None, LOAD),
        (f"{WEB}:latest", None, LOAD),
        (f"{WEB}:{TAG}", "Always", LOAD),
        ("web", "Always", SHARED),
        (WEB, None, SHARED),
        ("web", "Never", PULL),
        ("web", "Never", OURS),
        (f"{WEB}:{TAG}", "Never", OURS),
        (f"{WEB}@sha256:{'01' * 32}", "Never", OURS),
    ],
)
def test_a_pull_policy_that_the_route_cannot_serve(
    tmp_path: Path, image: str, policy: str | None, route: Route, kind: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check(tmp_path, image, policy, route, kind=kind)
    assert caught.value.reason == "pull_policy_unserved:page"
    assert f"Deployment page: {WEB}" in caught.value.message


@pytest.mark.parametrize("route", [OURS, PULL, LOAD], ids=lambda route: route.name)
@pytest.mark.parametrize("image", [f"{WEB}:v1", f"{WEB}:0.0.0-d-1", f"{WEB}:d-01", f"{WEB}:tx"])
def test_a_tag_that_nobody_published(tmp_path: Path, image: str, route: Route) -> None:
    with pytest.raises(UsageError) as caught:
        check(tmp_path, image, "IfNotPresent", route)
    assert caught.value.reason == "image_tag_unpublished:page"
    assert caught.value.exit_code == 2
    assert f"Deployment page: {image}" in caught.value.message
    assert "`$web.tag` (or .ref, .semver)" in str(caught.value.hint)


@pytest.mark.parametrize("image", [WEB, f"{WEB}:latest"])
def test_latest_is_such_a_tag_where_nodes_pull(tmp_path: Path, image: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(tmp_path, image, None, OURS)
    assert caught.value.reason == "image_tag_unpublished:page"


@pytest.mark.parametrize(
    ("image", "policy", "route"),
    [
        ("web", None, LOAD),
        ("web", "IfNotPresent", LOAD),
        ("web", "Never", LOAD),
        ("web", "Never", SHARED),
        (f"{WEB}:{TAG}", None, SHARED),
        ("web", None, PULL),
        ("web", "Always", PULL),
        ("web", "Always", OURS),
        ("registry.example.com/web:1", "Always", LOAD),
        ("web.example.com/demo/web", "Never", OURS),
        (f"{WEB}:{TAG}", None, OURS),
        (f"{WEB}:0.0.0-{TAG}", None, LOAD),
        (f"{WEB}:latest@sha256:{'01' * 32}", None, OURS),
    ],
)
def test_served(tmp_path: Path, image: str, policy: str | None, route: Route) -> None:
    registry = FakeRegistry()
    check(tmp_path, image, policy, route, registry=registry)
    assert registry.asked == 0


@pytest.mark.parametrize("registry", [FakeRegistry("v1"), FakeRegistry(answers=False)])
def test_a_users_own_tag_and_a_silent_registry_are_no_reason(
    tmp_path: Path, registry: FakeRegistry
) -> None:
    check(tmp_path, f"{WEB}:v1", None, OURS, registry=registry)
    assert registry.asked == 1


def test_a_chart_as_it_was_released_is_not_rendered_again(tmp_path: Path) -> None:
    """Only on localloop's own cluster, whose route is always the same."""
    check(tmp_path, f"{WEB}:v1", None, OURS, previous="new")
    with pytest.raises(UsageError):
        check(tmp_path, f"{WEB}:v1", None, LOAD, previous="new")


def chart(root: Path, **values: str) -> dict[str, Any]:
    """A chart with a Deployment, and a Pod that only ``helm test`` starts."""
    (root / "chart/templates").mkdir(parents=True)
    (root / "chart/Chart.yaml").write_text("apiVersion: v2\nname: page\nversion: 0.1.0\n")
    (root / "chart/templates/page.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: page}\nspec: {template: {spec:"
        " {containers: [{name: web, imagePullPolicy: {{ .Values.policy }},"
        ' image: "{{ .Values.repository }}:{{ .Values.tag }}"}]}}}\n'
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: try, annotations: {helm.sh/hook: test}}\n"
        "spec: {containers: [{name: try, image: '{{ .Values.repository }}:never-there'}]}\n"
    )
    return {"path": "chart", "values": {"policy": "IfNotPresent", **values}}


@needs_helm
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"repository": "$web.repository", "tag": "$web.tag"}, ""),
        ({"repository": "$web.repository", "tag": "$web.semver"}, ""),
        ({"repository": "$web.repository", "tag": "latest"}, "image_tag_unpublished"),
        ({"repository": WEB, "tag": "1.2.3"}, "image_tag_unpublished"),
        ({"repository": WEB, "tag": TAG, "policy": "Never"}, "pull_policy_unserved"),
        ({"repository": WEB, "tag": "latest", "policy": "}"}, ""),  # Helm's own error says more
    ],
    ids=json.dumps,
)
def test_what_helm_renders(tmp_path: Path, values: dict[str, str], reason: str) -> None:
    session = session_of(tmp_path, chart(tmp_path, **values), OURS)
    consumes = ("web",) if "$" in json.dumps(values) else ()
    if not reason:
        refuse(session, consumes)
        return
    with pytest.raises(UsageError) as caught:
        refuse(session, consumes)
    assert caught.value.reason == f"{reason}:page"


@needs_helm
@pytest.mark.parametrize(
    ("size", "generate", "refused"), [("many", [], True), ("many", ["a"], False), (1, [], False)]
)
def test_values_that_a_schema_forbids(
    tmp_path: Path, size: object, generate: list[str], refused: bool
) -> None:
    found = {**chart(tmp_path, repository=WEB, tag=TAG), "generate": generate}
    found["values"] = {**found["values"], "size": size}
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}}
    (tmp_path / "chart" / "values.schema.json").write_text(json.dumps(schema))
    if not refused:
        refuse(session_of(tmp_path, found, OURS))
        return
    with pytest.raises(UsageError, match=r"schema of page: - at '/size': got string, want integer"):
        refuse(session_of(tmp_path, found, OURS))
