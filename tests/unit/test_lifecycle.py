"""What is done to the nodes, and in which order. Docker, kind and the API are fakes here."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from test_cluster import node, worker

from localloop.cluster import kind, lifecycle, owner
from localloop.cluster.state import kubeconfig_path
from localloop.config.model import ClusterConfig, Port
from localloop.errors import LocalloopError, UsageError
from localloop.system.paths import cluster_dir


class World:
    """Docker with the nodes ``listed``; ``done`` is what was done, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listed: list[dict[str, Any]] = []
        self.done: list[str] = []
        self.named: dict[str, dict[str, Any]] = {}
        self.inspect_container = self.named.get
        self.image: dict[str, Any] | None = None
        self.serves = [True]
        self.engine = self
        for name in ("create", "delete"):
            monkeypatch.setattr(kind, name, self._of_kind(name))
        monkeypatch.setattr(kind, "require_kind", lambda: "kind")
        monkeypatch.setattr(kind, "read_kubeconfig", lambda *_, **__: b"fetched\n")
        monkeypatch.setattr(lifecycle, "connect", lambda _name: self)
        monkeypatch.setattr(lifecycle, "version", lambda _kube: "1.37.2")
        monkeypatch.setattr(lifecycle, "wait_until_serving", lambda *_, **__: self.serves.pop(0))
        monkeypatch.setattr(lifecycle, "wait_until_ready", self._wait)
        monkeypatch.setattr(lifecycle, "is_starting", lambda _kube, nodes: self.starting(nodes))
        self.starting = lambda nodes: False

    def inspect_image(self, reference: str) -> dict[str, Any] | None:
        assert reference == "node:1"
        return self.image

    def containers(self, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        of_kind = filters["label"][0].startswith("io.x-k8s.kind")
        return self.listed if of_kind else [{"Id": "registry"}]

    def __getattr__(self, act: str) -> Any:
        if act not in ("start", "stop", "unpause", "restart"):
            raise AttributeError(act)
        return lambda container: self.done.append(f"{act} {container}")

    def _of_kind(self, act: str) -> Any:
        def called(name: str, *_: Any, **__: Any) -> None:
            self.done.append(f"{act} {name}")
            if act == "create":
                creation = owner.noted(name)
                assert creation is not None
                assert not creation.finished  # noted before, so that a kill leaves it recognisable
                self.listed = [node(source=f"/owner/{creation.owner}")]

        return called

    def _wait(self, _kube: Any, nodes: list[str], **_: Any) -> None:
        self.done.append(f"wait {' '.join(nodes)}")

    def ours(self, *nodes: dict[str, Any]) -> None:
        """These nodes are of a cluster that localloop created."""
        file = owner.begin("demo", "node:1")
        owner.finish("demo", "1.37.2")
        self.listed = [
            {**each, "Mounts": [{"Source": str(file), "Destination": "/etc/localloop/owner"}]}
            for each in nodes
        ]

    def create(self, **wanted: Any) -> None:
        lifecycle.create(
            self,  # type: ignore[arg-type]
            ClusterConfig(name="demo", **wanted),
            "node:1",
            api_port=None,
            seconds=1,
            say=lambda _text: None,
            environ=os.environ,
        )

    def started(self) -> bool:
        return lifecycle.start(
            self,  # type: ignore[arg-type]
            "demo",
            seconds=1,
            say=lambda _text: None,
            environ=os.environ,
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return World(monkeypatch)


def test_a_new_cluster_is_noted_before_and_after(world: World) -> None:
    world.create()
    assert world.done == ["create demo", "wait demo-control-plane"]
    creation = owner.noted("demo")
    assert creation is not None
    assert (creation.finished, creation.kubernetes, creation.image) == (True, "1.37.2", "node:1")


@pytest.mark.parametrize("labels", [None, {}, {"localloop.kubeadm-patches": "/kind/patches"}])
def test_an_image_that_has_patches_for_kubeadm(world: World, labels: dict[str, str] | None) -> None:
    world.image = {"Config": {"Labels": labels}}
    world.create()
    written = json.loads((cluster_dir("demo") / "kind.yaml").read_bytes())
    assert written.get("kubeadmConfigPatches", []) == [
        f"kind: InitConfiguration\npatches: {{directory: {path}}}\n"
        for path in (labels or {}).values()
    ]


def test_an_old_one_is_deleted_first(world: World) -> None:
    world.ours(node())
    before = owner.noted("demo")
    world.create()
    assert world.done[:2] == ["delete demo", "create demo"]
    assert owner.noted("demo") != before


def test_nothing_is_removed_while_a_port_is_taken(world: World) -> None:
    world.ours(node())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = Port("127.0.0.1", server.getsockname()[1], 30080, "tcp")
        with pytest.raises(LocalloopError) as caught:
            world.create(ports=(port,))
    assert caught.value.reason == "port_taken"
    assert world.done == []


@pytest.mark.parametrize("act", ["create", "start", "stop", "remove"])
def test_what_is_not_ours_is_left_alone(world: World, act: str) -> None:
    world.listed = [node("exited")]
    with pytest.raises(UsageError, match=r"cluster: \{context: kind-demo\}") as caught:
        {
            "create": world.create,
            "start": world.started,
            "stop": lambda: lifecycle.stop(world, "demo"),  # type: ignore[arg-type]
            "remove": lambda: lifecycle.remove(world, "demo", environ={}),  # type: ignore[arg-type]
        }[act]()
    assert caught.value.reason == "cluster_not_ours"
    assert world.done == []


def test_a_node_that_serves_is_left_alone(world: World) -> None:
    world.ours(node())
    assert not world.started()
    assert world.done == []


@pytest.mark.parametrize("starting", [True, False])
def test_a_node_that_something_else_restarted_is_waited_for(world: World, starting: bool) -> None:
    world.ours({**node(), "Status": "Up 3 seconds"})
    world.starting = lambda nodes: list(nodes) == ["demo-control-plane"] and starting
    assert world.started() is starting
    assert world.done == (["wait demo-control-plane"] if starting else [])


def test_each_state_has_its_way_to_run(world: World) -> None:
    """In the order in which kind created them, so that they get the same addresses."""
    world.ours(worker("exited", "2"), worker("paused"), node("exited"), worker("dead", "3"))
    assert world.started()
    assert world.done == [
        "start demo-control-plane",
        "unpause demo-worker",
        "start demo-worker2",
        "restart demo-worker3",
        "wait demo-control-plane demo-worker demo-worker2 demo-worker3",
    ]


def test_a_silent_control_plane_is_restarted_once(world: World) -> None:
    world.ours(node(), worker())
    world.serves = [False]
    assert world.started()
    assert world.done == ["restart demo-control-plane", "wait demo-control-plane demo-worker"]


def test_a_lost_kubeconfig_is_fetched_when_the_nodes_run(world: World) -> None:
    world.ours(node("exited"))
    assert world.started()
    assert kubeconfig_path("demo").read_bytes() == b"fetched\n"


def test_stop_keeps_everything(world: World) -> None:
    world.ours(node(), worker("paused"), worker("exited", "2"))
    assert lifecycle.stop(world, "demo")  # type: ignore[arg-type]
    assert world.done == [
        "unpause demo-worker",
        "stop demo-control-plane",
        "stop demo-worker",
        "stop registry",
    ]


def test_remove_without_a_cluster_does_nothing(world: World) -> None:
    assert not lifecycle.remove(world, "demo", environ={})  # type: ignore[arg-type]
    world.ours(node())
    assert lifecycle.remove(world, "demo", environ={})  # type: ignore[arg-type]
    assert world.done == ["delete demo"]


@pytest.mark.parametrize("instead", ["nothing", "directory"])
def test_the_file_that_nodes_mount_is_there_before_they_start(world: World, instead: str) -> None:
    world.ours(node("exited"))
    creation = owner.noted("demo")
    assert creation is not None
    file = kubeconfig_path("demo").parent / "owner" / creation.owner
    file.unlink()
    if instead == "directory":  # Docker makes one
        file.mkdir()
    assert world.started()
    assert file.read_text() == f"{creation.owner}\n"
    file.unlink()
    file.mkdir()
    world.create()  # nor does that stop a new cluster
    assert owner.noted("demo") != creation
    assert not file.exists()


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        (
            "Error starting userland proxy: listen tcp4 127.0.0.1:26103: bind: address already in"
            " use",
            "port_taken",
            "127.0.0.1:26103",
        ),
        ("Bind for 0.0.0.0:80 failed: port is already allocated", "port_taken", "0.0.0.0:80"),
        ("error mounting /x", "docker_error", "error mounting /x"),
    ],
)
def test_a_node_that_docker_cannot_start(world: World, said: str, reason: str, words: str) -> None:
    def refuse(_container: str) -> None:
        raise LocalloopError("docker_error", said)

    world.ours(node("exited"))
    world.start = refuse
    with pytest.raises(LocalloopError, match=words) as caught:
        world.started()
    assert caught.value.reason == reason
    assert "run this again" in str(caught.value.hint)
    assert "--recreate --force" in str(caught.value.hint)


def test_a_directory_in_place_of_the_kubeconfig_is_named(world: World) -> None:
    world.ours(node())
    kubeconfig_path("demo").mkdir()
    with pytest.raises(LocalloopError, match="Remove that directory") as caught:
        world.started()
    assert caught.value.reason == "state_unwritable"
    assert not list(kubeconfig_path("demo").parent.glob(".kubeconfig*"))
    with pytest.raises(LocalloopError, match="Remove that directory"):
        kind.forget_kubeconfig("demo")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({}, "no node of a kind cluster.*\n.*another cluster name"),
        ({"localloop.cluster": "other"}, "no node of a kind cluster"),
        ({"localloop.cluster": "demo"}, "localloop 0.1\n.*`localloop down --cluster`"),
    ],
)
def test_a_container_that_has_a_nodes_name(
    world: World, labels: dict[str, str], words: str
) -> None:
    world.ours(node())
    world.named["demo-control-plane"] = {"Config": {"Labels": {}}}  # that is the node itself
    world.named["demo-worker2"] = {"Config": {"Labels": labels}}
    with pytest.raises(UsageError) as caught:
        world.create(nodes=3)
    assert caught.value.reason == "cluster_not_ours"
    assert re.search(words, str(caught.value))
    assert world.done == []
    world.create(nodes=2)
