"""What `localloop prune` removes: a scripted API server, and a registry of plain dicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_api import FakeApi

from localloop.cluster.route import OURS
from localloop.config.project import load_project
from localloop.errors import LocalloopError
from localloop.plan.model import Plan
from localloop.publish.prune import prune, prune_plan
from localloop.registry.client import Manifest

Object = dict[str, Any]
CONFIG = """\
version: 1
project: demo
images: {web: {dockerfile: Dockerfile}, new: {dockerfile: Dockerfile}}
node_files: {tool: {dockerfile: Dockerfile, file: tool, dest: /opt/tool}}
"""
RUNS = {"verdict": "ok", "reason": "", "registry_verdict": "ok", "registry_reason": ""}


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


class FakeRegistry:
    """Repositories of numbered images, each a day younger than the one before it."""

    def __init__(self, **stored: list[int]) -> None:
        self.stored = {name.replace("__", "/"): numbers for name, numbers in stored.items()}
        self.deleted: list[tuple[str, str]] = []

    def repositories(self) -> list[str]:
        return sorted(self.stored)

    def tags(self, repository: str) -> list[str]:
        return [f"d-{number:020x}" for number in self.stored[repository]]

    def manifest(self, repository: str, reference: str) -> Any:
        number = int(reference.removeprefix("d-"), 16)
        return Manifest(digest(number), digest(number + 100), "", b"")

    def blob(self, repository: str, config: str) -> bytes:
        number = int(config.removeprefix("sha256:"), 16) - 100
        return json.dumps({"created": f"2026-01-{number:02}T00:00:00Z"}).encode()

    def delete_manifest(self, repository: str, digest: str) -> None:
        self.deleted.append((repository, digest))


class FakeDocker:
    """The registry's container; what is executed in it ends with ``status``."""

    def __init__(self) -> None:
        self.executed: list[list[str]] = []
        self.status = 0
        self.engine = self

    def inspect_container(self, name: str) -> Object:
        return {"Path": "/entrypoint.sh", "Args": ["serve", f"/etc/{name}.yml"]}

    def execute(self, name: str, argv: list[str], *, timeout: float) -> tuple[int, str]:
        self.executed.append(argv)
        return self.status, "it said so"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


@pytest.fixture
def session(api: FakeApi, tmp_path: Path) -> Any:
    (tmp_path / "localloop.yml").write_text(CONFIG)
    return SimpleNamespace(
        project=load_project(tmp_path, environ={}),
        cluster=SimpleNamespace(**RUNS),
        cluster_name="demo",
        registry_container_name="registry",
        repository_name=lambda name: f"demo/{name}",
        repository=lambda name: f"127.0.0.1:5000/demo/{name}",
        registry=FakeRegistry(demo__web=[1, 2, 3], demo__gone=[4], other__web=[5]),
        registry_address="127.0.0.1:5000",
        docker=FakeDocker(),
        platform="linux/amd64",
        kube=api.kube(),
        identify=lambda: "uid",
        provider_facts=lambda: {},
        route=OURS,
    )


def pod(image: str) -> Object:
    metadata = {"name": "p", "namespace": "app"}
    spec = {"containers": [{"name": "main", "image": image}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def goes(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {name: part.removes for name, part in plan.components.items()}


def test_old_images_of_this_project_go(api: FakeApi, session: Any) -> None:
    api.put(pod(f"127.0.0.1:5000/demo/web@{digest(1)}"))
    plan = prune_plan(session, keep=1)
    assert goes(plan) == {"web": (digest(2),), "new": (), "tool": (), "gone": ()}
    assert [str(reason) for reason in plan.components["web"].reasons] == [
        "prune (1 image not in use)"
    ]
    assert plan.components["tool"].kind == "node_file"
    assert plan.components["new"].skip == "nothing_to_prune"
    assert session.registry.deleted == []


def test_of_a_component_that_is_named_no_more_as_well(session: Any) -> None:
    plan = prune_plan(session, keep=0)
    assert goes(plan)["gone"] == (digest(4),)
    assert goes(plan)["web"] == (digest(1), digest(2), digest(3))


def test_pruning(session: Any) -> None:
    events: list[Object] = []
    done = prune(session, prune_plan(session, keep=2), events.append)
    assert session.registry.deleted == [("demo/web", digest(1))]
    assert session.docker.executed == [["registry", "garbage-collect", "/etc/registry.yml"]]
    assert [part.name for part in done.components.values() if part.changed] == ["web"]
    assert [event["event"] for event in events] == ["progress", "plan"]


def test_with_nothing_to_prune_nothing_is_done(session: Any) -> None:
    events: list[Object] = []
    plan = prune_plan(session, keep=3)
    assert prune(session, plan, events.append) == plan
    assert (events, session.docker.executed) == ([], [])


def test_a_garbage_collection_that_fails(session: Any) -> None:
    session.docker.status = 1
    with pytest.raises(LocalloopError, match="it said so") as caught:
        prune(session, prune_plan(session, keep=2), lambda _event: None)
    assert caught.value.reason == "prune_failed"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"verdict": "start", "reason": "cluster_stopped"}, "cluster_stopped"),
        ({"registry_verdict": "create", "registry_reason": "registry_missing"}, "registry_missing"),
    ],
)
def test_without_cluster_or_registry_nothing_says_what_is_in_use(
    session: Any, state: Object, reason: str
) -> None:
    session.cluster = SimpleNamespace(**RUNS | state)
    with pytest.raises(LocalloopError) as caught:
        prune_plan(session, keep=0)
    assert caught.value.reason == reason
