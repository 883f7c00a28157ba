"""A node that seems to run on this Docker has to be seen to use it, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi

from localloop.cluster import shared_probe
from localloop.cluster.shared_probe import POD_LABEL, REPORTED, require_shared
from localloop.errors import LocalloopError, UsageError
from localloop.registry.client import Manifest

ADDRESS = "127.0.0.1:5000"


def node(*images: str, uid: str = "node-1") -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "box", "uid": uid},
        "status": {"images": [{"names": [name], "sizeBytes": 1} for name in images]},
    }  # fmt: skip


def pod(uid: str) -> dict[str, Any]:
    metadata = {"name": "dns", "namespace": "kube-system", "uid": uid}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": "box"}}


class FakeRegistry:
    address = ADDRESS

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}

    def push_blob(self, _repository: str, content: bytes) -> str:
        return "sha256:" + hashlib.sha256(content).hexdigest()

    def put_manifest(self, repository: str, tag: str, manifest: Manifest) -> None:
        self.tags[f"{repository}:{tag}"] = manifest.digest

    def delete_manifest(self, _repository: str, digest: str) -> None:
        self.tags = {tag: each for tag, each in self.tags.items() if each != digest}


class World:
    """A node, and a Docker; ``same``: what Docker pulls, the node has."""

    def __init__(self, api: FakeApi) -> None:
        self.api, self.same = api, True
        self.id, self.labels = "daemon-1", ["of another pod"]
        self.images: set[str] = set()
        self.pulled: list[str] = []
        self.registry = FakeRegistry()
        self.engine = self
        api.put(node(), pod("pod-1"))

    def info(self) -> dict[str, Any]:
        return {"ID": self.id}

    def containers(self, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        assert filters == {"label": [POD_LABEL]}
        return [{"Labels": {POD_LABEL: uid}} for uid in self.labels]

    def image_names(self) -> frozenset[str]:
        return frozenset(self.images)

    def pull(self, reference: str, *, timeout: float, anonymous: bool) -> None:
        assert anonymous and timeout > 0
        assert reference.removeprefix(f"{ADDRESS}/") in self.registry.tags
        self.pulled.append(reference)
        self.images.add(reference)
        if self.same:
            self.api.put(node(reference))

    def remove_image(self, reference: str) -> None:
        self.images.discard(reference)

    def require(self, *, registry: bool = True) -> None:
        made: Any = self.registry if registry else None
        require_shared(self.api.kube(), self, "demo", made, "linux/amd64")  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(shared_probe, "SEEN_SECONDS", 0.2)
    monkeypatch.setattr(shared_probe, "_POLL_SECONDS", 0.01)
    with FakeApi() as api:
        yield World(api)


def refused(world: World) -> UsageError:
    with pytest.raises(UsageError) as caught:
        world.require()
    assert caught.value.reason == "no_image_route"
    return caught.value


def test_a_container_of_one_of_its_pods_is_proof(world: World) -> None:
    world.labels.append("pod-1")
    world.require()
    assert world.pulled == []
    assert {"fieldSelector": "spec.nodeName=box"} in [
        query for _, _, query, *_ in world.api.requests
    ]


def test_else_it_has_to_report_an_image_that_was_pulled_here(world: World) -> None:
    world.require()
    assert len(world.pulled) == 1
    assert (world.images, world.registry.tags) == (set(), {})


def test_another_docker_is_refused(world: World) -> None:
    world.same = False
    error = refused(world)
    assert "box runs Docker, but not this one" in error.message
    assert "registry: {host" in str(error.hint) and "DOCKER_HOST" in str(error.hint)
    assert (world.images, world.registry.tags) == (set(), {})
    refused(world)
    assert len(world.pulled) == 2


def test_what_cannot_be_pulled_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LocalloopError("docker_error", "Docker refused to pull: connection refused")

    monkeypatch.setattr(world, "pull", fail)
    assert "connection refused" in refused(world).message
    assert world.registry.tags == {}


def test_a_node_that_reports_only_its_largest_images_has_none_that_are_not_here(
    world: World,
) -> None:
    world.same = False
    names = [f"image:{number}" for number in range(REPORTED)]
    world.api.put(node(*names))
    world.images |= set(names)
    world.require()
    world.api.put(node(*names, uid="node-2"))
    world.images.remove(names[7])
    refused(world)


def test_it_is_asked_once_for_a_node_and_a_daemon(world: World) -> None:
    world.require()
    world.api.requests.clear()
    world.require()
    assert len(world.pulled) == len(world.api.requests) == 1
    world.id = "daemon-2"
    world.require()
    assert len(world.pulled) == 2
    world.api.put(node(uid="node-2"))
    world.require()
    assert len(world.pulled) == 3


def test_before_there_is_a_registry_nothing_is_decided(world: World) -> None:
    world.require(registry=False)
    world.same = False
    refused(world)
    world.labels.append("pod-1")
    world.require(registry=False)
    world.labels.clear()
    world.require()
    assert len(world.pulled) == 1
