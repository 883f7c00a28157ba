"""A registry of the user's: whether the nodes get from it what is pushed to it."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from localloop.cluster.containers import NodeContainer
from localloop.cluster.probe_image import REPOSITORY
from localloop.cluster.registry_probe import require_pulls, require_registry
from localloop.cluster.route import Route
from localloop.errors import UsageError

NODES = tuple(
    NodeContainer(name=name, role="worker", state="running", container_id=f"id-{name}", image="i")
    for name in ("a", "b")
)


class FakeRegistry:
    """A registry on a port: uploads, manifests by tag and digest. ``plain``: it is none at all."""

    def __init__(self) -> None:
        self.plain = False
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, **headers: str) -> None:
                self.send_response(status)
                if not fake.plain:
                    self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.answer(200)

            def do_HEAD(self) -> None:
                self.answer(404)

            def do_POST(self) -> None:
                self.answer(202, Location=f"{fake.address}/up?state=1")

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if "/manifests/" in self.path:
                    fake.manifests[self.path.rpartition("/")[2]] = body
                else:
                    assert self.path.startswith("/up?state=1&digest=sha256")
                    fake.blobs["sha256:" + hashlib.sha256(body).hexdigest()] = body
                self.answer(201)

            def do_DELETE(self) -> None:
                self.answer(405)

            def log_message(self, *_: Any) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.address = f"http://{self.host}"
        self.route = Route(name="registry", why="registry.host", push=self.host, pull="reg:5000")


class FakeNodes:
    """Docker, as far as crictl on the nodes goes. ``blind``: those that get nothing."""

    def __init__(self, registry: FakeRegistry) -> None:
        self.engine = self
        self.blind: set[str] = set()
        self.gets_other = False
        self.pulled: list[str] = []
        self.environ: list[str] = []
        self._registry = registry

    def inspect_container(self, _: str) -> dict[str, Any]:
        return {"Config": {"Env": ["PATH=/bin", *self.environ]}}

    def execute(self, node: str, argv: list[str], **_: Any) -> tuple[int, str]:
        words = argv[2:] if argv[0] == "timeout" else argv
        reference = words[-1]
        assert reference.startswith(f"reg:5000/{REPOSITORY}:")
        if words[1] == "rmi":
            return 0, ""
        if words[1] == "pull":
            self.pulled.append(node)
            return (1, "connection refused") if node in self.blind else (0, "")
        body = self._registry.manifests[reference.rpartition(":")[2]]
        config = "sha256:other" if self.gets_other else json.loads(body)["config"]["digest"]
        return 0, json.dumps({"status": {"id": config}})


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    made = FakeRegistry()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def pulls(registry: FakeRegistry, nodes: FakeNodes, containers: Any = NODES) -> None:
    require_pulls(nodes, "demo", registry.route, containers, "linux/arm64")  # type: ignore[arg-type]


def test_each_container_is_asked_once(registry: FakeRegistry) -> None:
    nodes = FakeNodes(registry)
    pulls(registry, nodes)
    assert nodes.pulled == ["a", "b"]
    pulls(registry, nodes)
    assert nodes.pulled == ["a", "b"]
    made_anew = NodeContainer(
        name="b", role="worker", state="running", container_id="new", image="i"
    )
    pulls(registry, nodes, (NODES[0], made_anew))
    assert nodes.pulled == ["a", "b", "b"]


def test_the_probe_is_a_whole_image_of_the_nodes_platform(registry: FakeRegistry) -> None:
    pulls(registry, FakeNodes(registry))
    (body,) = registry.manifests.values()
    found = json.loads(body)
    for part in (found["config"], *found["layers"]):
        assert part["size"] == len(registry.blobs[part["digest"]])
    config = json.loads(registry.blobs[found["config"]["digest"]])
    assert (config["os"], config["architecture"]) == ("linux", "arm64")


@pytest.mark.parametrize(
    ("blind", "other", "says"),
    [({"b"}, False, "node b cannot pull from reg:5000"), (set(), True, "it got sha256:other")],
)
def test_a_node_that_does_not_get_it(
    registry: FakeRegistry, blind: set[str], other: bool, says: str
) -> None:
    nodes = FakeNodes(registry)
    nodes.blind, nodes.gets_other = blind, other
    with pytest.raises(UsageError) as caught:
        pulls(registry, nodes)
    assert caught.value.reason == "registry_unusable"
    assert says in caught.value.message
    nodes.blind, nodes.gets_other = set(), False
    pulls(registry, nodes)  # nothing was remembered of it


def test_a_nodes_own_proxy_is_named_without_its_password(registry: FakeRegistry) -> None:
    nodes = FakeNodes(registry)
    nodes.blind = {"a"}
    nodes.environ = ["HTTPS_PROXY=http://me:secret@proxy:3128", "no_proxy=10.0.0.0/8,.svc"]
    with pytest.raises(UsageError) as caught:
        pulls(registry, nodes)
    assert "every host but 10.0.0.0/8,.svc (NO_PROXY)" in caught.value.message
    assert "secret" not in caught.value.message


def test_what_answers_on_this_machine(registry: FakeRegistry) -> None:
    require_registry(registry.route)
    registry.plain = True
    with pytest.raises(UsageError) as caught:
        require_registry(registry.route)
    assert caught.value.reason == "registry_unusable"
    assert "no registry" in caught.value.message
    registry.server.server_close()
    with pytest.raises(UsageError) as caught:
        require_registry(Route(name="registry", why="x", push="127.0.0.1:9", pull="p"))
    assert "does not answer" in caught.value.message
