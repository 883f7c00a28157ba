"""Whether the registry serves this host and the nodes: what is asked, and how often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_cluster import Answering, registry_container, served

from localloop.cluster.mirrors import hosts_toml, unwired
from localloop.cluster.registry_check import check_registry, not_repaired
from localloop.cluster.registry_state import RegistryState
from localloop.errors import LocalloopError
from localloop.system.paths import cluster_dir

NODES = {"hello-control-plane": "id-1", "hello-worker": "id-2"}


class World:
    """A registry on a port, and Docker as far as it is asked about it and the nodes."""

    def __init__(self) -> None:
        self.engine = self
        self.upload = 202
        self.said = b""
        self.cancelled = 0
        self.silent = 0  # how many times it does not answer yet
        self.away: dict[str, int] = {}  # curl's exit code by node
        self.asked: list[str] = []
        self.files: dict[tuple[str, str], bytes] = {}
        self.container: dict[str, Any] = {}

    def inspect_container(self, _name: str) -> dict[str, Any]:
        return self.container

    def execute(self, node: str, argv: list[str], **_: Any) -> tuple[int, str]:
        assert argv[0] == "curl"
        self.asked.append(node)
        code = self.away.get(node, 0)
        if code < 0:
            raise LocalloopError("docker_error", 'exec: "curl": executable file not found')
        return code, f"curl: ({code}) no route" if code else ""

    def read_path(self, node: str, path: str) -> bytes | None:
        return self.files.get((node, path))

    def logs(self, _container: str, _lines: int) -> str:
        return "level=fatal msg=broken\n"


def handler(world: World) -> type[Answering]:
    class Handler(Answering):
        def do_GET(self) -> None:
            world.silent -= 1
            self.respond(503 if world.silent >= 0 else 200)

        def do_POST(self) -> None:
            assert self.path == "/v2/localloop/probe/blobs/uploads/"
            self.respond(world.upload)

        def do_DELETE(self) -> None:
            assert self.path == "/up?state=1"
            world.cancelled += 1
            self.respond(204)

        def respond(self, status: int) -> None:
            body = world.said if status >= 400 else b""
            self.send_response(status)
            self.send_header("Location", "/up?state=1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    cluster_dir("hello").mkdir(parents=True)
    with served(("127.0.0.1", 0), handler(made)) as port:
        made.container = registry_container(port)
        made.container["NetworkSettings"] = {"Networks": {"kind": {"IPAddress": "172.18.0.3"}}}
        yield made


def check(world: World, **more: Any) -> RegistryState:
    nodes = more.pop("nodes", NODES)
    return check_registry(world, "hello", nodes, **more)  # type: ignore[arg-type]


def test_the_nodes_are_asked_once(world: World) -> None:
    for _ in range(2):
        assert check(world).verdict == "ok"
    assert world.asked == list(NODES)
    assert world.cancelled == 2  # the upload that was begun


@pytest.mark.parametrize("what", ["node", "container", "start", "address"])
def test_they_are_asked_again_if_anything_is_new(world: World, what: str) -> None:
    nodes = dict(NODES)
    check(world, nodes=nodes)
    if what == "node":
        nodes["hello-worker"] = "id-3"
    elif what == "container":
        world.container["Id"] = "2"
    elif what == "start":
        world.container["State"]["StartedAt"] = "later"
    else:
        world.container["NetworkSettings"]["Networks"]["kind"]["IPAddress"] = "172.18.0.9"
    world.asked.clear()
    world.away = {"hello-worker": 7}
    state = check(world, nodes=nodes)
    assert (state.verdict, state.reason) == ("recreate", "registry_not_reached")
    assert world.asked == list(NODES)


def test_what_is_only_looked_at_leaves_no_note(world: World) -> None:
    assert check(world, writes=False).verdict == "ok"
    assert list(Path(cluster_dir("hello")).iterdir()) == []


@pytest.mark.parametrize("code", [126, 127, -1])
def test_a_node_without_curl_says_nothing(world: World, code: int) -> None:
    world.away = {"hello-worker": code}
    assert check(world).verdict == "ok"


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (202, b"", ""),
        (405, b"", "registry_refuses_pushes"),
        (503, b"{}", "registry_refuses_pushes"),
        (500, json.dumps({"Err": 28}, separators=(",", ":")).encode(), ""),  # its disk is full
    ],
)
def test_an_upload_is_begun(world: World, status: int, said: bytes, reason: str) -> None:
    world.upload, world.said = status, said
    assert check(world).reason == reason


def test_one_that_was_just_started_is_waited_for(world: World) -> None:
    world.silent = 2
    assert check(world, tried="start", seconds=20.0).verdict == "ok"
    world.silent = 1
    assert check(world).reason == "registry_not_answering"


def test_one_that_ended_is_not_waited_for(world: World) -> None:
    world.container["State"] = {"Status": "exited", "Running": False}
    state = check(world, tried="create", seconds=3600.0)
    assert (state.verdict, state.reason) == ("fail", "registry_port_taken")


def test_a_failure_shows_what_was_seen(world: World) -> None:
    world.away = {"hello-worker": 7}
    state = check(world, tried="create")
    error = not_repaired(world, "hello", state, list(NODES))  # type: ignore[arg-type]
    assert (error.reason, error.details) == (
        "registry_not_repaired",
        {"reason": "registry_not_reached"},
    )
    for shown in (
        '"Status": "running"',
        '"HostIp": "127.0.0.1"',
        "networks: kind (172.18.0.3)",
        "node hello-control-plane: reaches it",
        "node hello-worker: curl ended with 7: curl: (7) no route",
        "log: level=fatal msg=broken",
    ):
        assert shown in error.message


def test_every_node_needs_both_names_and_just_that_content(world: World) -> None:
    docker: Any = world
    content = hosts_toml("hello").encode()
    for node in NODES:
        for host in ("localhost", "127.0.0.1"):
            world.files[node, f"/etc/containerd/certs.d/{host}:5001/hosts.toml"] = content
    assert unwired(docker, "hello", list(NODES), 5001) == []
    assert unwired(docker, "hello", list(NODES), 5002) == list(NODES)
    world.files["hello-worker", "/etc/containerd/certs.d/localhost:5001/hosts.toml"] = b"other"
    assert unwired(docker, "hello", list(NODES), 5001) == ["hello-worker"]
