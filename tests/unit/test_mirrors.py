"""What leads nodes and tools to localloop's registry on a cluster that it did not create."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_api import FakeApi
from hypothesis import given
from hypothesis import strategies as st

from localloop.cluster.hosting import hosting, may_publish, withdraw
from localloop.cluster.mirrors import hosts_toml, mirrors, require_wireable, unwire, written
from localloop.errors import LocalloopError, UsageError
from localloop.kube.client import ApiError

NODE = "box-control-plane"
CERTS = "/etc/containerd/certs.d"
CONFIG = 'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "{}"\n'
OLDER = '[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "{}"\n'


class FakeNodes:
    """Docker, as far as the nodes' files, environments and containerd go."""

    def __init__(self) -> None:
        self.engine = self
        self.files: dict[str, bytes] = {}
        self.folders: list[str] = []
        self.environ = ["PATH=/bin"]
        self.dumped: tuple[int, str] | None = (0, CONFIG.format(CERTS))
        self.asked: list[str] = []
        self.stuck = False

    def read_path(self, node: str, path: str) -> bytes | None:
        assert node == NODE
        return self.files.get(path)

    def read_folder(self, node: str, path: str) -> dict[str, bytes]:
        assert (node, path) == (NODE, CERTS)
        return dict(self.files)

    def inspect_container(self, _: str) -> dict[str, Any]:
        return {"Config": {"Env": self.environ}}

    def execute(self, node: str, argv: list[str], **_: Any) -> tuple[int, str]:
        self.asked.append(argv[0])
        if argv[0] == "sh":
            if self.dumped is None:
                raise LocalloopError("docker_error", "no sh there")
            return self.dumped
        if argv[0] == "rm" and self.stuck:
            return 1, "rm: read-only file system"
        for path in argv[argv.index("--") + 1 :]:
            if argv[0] == "rm":
                del self.files[path]
            else:
                assert argv[0] == "rmdir"
                if not any(each.startswith(path + "/") for each in self.files):
                    self.folders.append(path)
        return 0, ""


def wire(nodes: FakeNodes, port: int, content: bytes = hosts_toml("demo").encode()) -> None:
    for folder in mirrors(port):
        nodes.files[f"{folder}/hosts.toml"] = content


def check(nodes: Any, port: int | None = 5001) -> None:
    require_wireable(nodes, "demo", [NODE], port)


def refused(nodes: FakeNodes) -> str:
    with pytest.raises(UsageError) as caught:
        check(nodes)
    assert caught.value.reason == "node_not_wireable"
    assert NODE in caught.value.message
    assert "registry: {route: load}" in str(caught.value.hint)
    return caught.value.message


@pytest.mark.parametrize(
    "dumped", [CONFIG.format(CERTS), OLDER.format(CERTS), CONFIG.format(f"{CERTS}:/etc/other")]
)
def test_a_node_that_reads_the_folder_can_be_wired(dumped: str) -> None:
    nodes = FakeNodes()
    nodes.dumped = (0, dumped)
    check(nodes)
    check(nodes, port=None)
    nodes.environ += [
        "HTTP_PROXY=http://proxy:3128",
        "NO_PROXY=10.0.0.0/8, localloop-demo-registry",
    ]
    check(nodes)


@pytest.mark.parametrize(
    "dumped",
    [
        (0, CONFIG.format("")),
        (0, CONFIG.format("/etc/other")),
        (0, ""),
        (0, "no toml"),
        (127, "sh: containerd: not found"),
        None,
    ],
)
def test_a_node_that_does_not_read_it_is_refused(dumped: tuple[int, str] | None) -> None:
    nodes = FakeNodes()
    nodes.dumped = dumped
    assert CERTS in refused(nodes)


def test_a_node_that_asks_a_proxy_for_the_registry_is_refused() -> None:
    nodes = FakeNodes()
    nodes.environ += ["http_proxy=http://proxy:3128", "no_proxy=localhost,10.0.0.0/8"]
    assert "NO_PROXY lacks localloop-demo-registry" in refused(nodes)


def test_somebody_elses_mirror_of_that_address_is_refused() -> None:
    nodes = FakeNodes()
    nodes.files[f"{CERTS}/localhost:5001/hosts.toml"] = b'server = "http://mine:5000"\n'
    assert "somebody else's" in refused(nodes)
    check(nodes, port=5002)


def test_one_that_localloop_wrote_for_another_is_no_obstacle() -> None:
    nodes = FakeNodes()
    wire(nodes, 5001, hosts_toml("earlier").encode())
    check(nodes)


def test_a_wired_node_is_not_asked() -> None:
    nodes = FakeNodes()
    nodes.dumped = None
    wire(nodes, 5001)
    check(nodes)
    assert nodes.asked == []


def test_what_is_still_ours_goes_whatever_its_port() -> None:
    nodes = FakeNodes()
    wire(nodes, 5001)
    wire(nodes, 5002)
    kept = {
        f"{CERTS}/127.0.0.1:5002/hosts.toml": hosts_toml("demo").encode() + b"# mine now\n",
        f"{CERTS}/localhost:5001/ca.crt": b"mine",
        f"{CERTS}/docker.io/hosts.toml": b"mine",
        f"{CERTS}/localhost:5003/hosts.toml": hosts_toml("other").encode(),
    }
    nodes.files |= kept
    docker: Any = nodes
    files = written(docker, "demo", NODE)
    assert len(files) == 3
    unwire(docker, NODE, files)
    assert nodes.files == kept
    assert nodes.folders == [f"{CERTS}/127.0.0.1:5001", f"{CERTS}/localhost:5002"]
    assert written(docker, "demo", NODE) == []


def test_a_file_that_cannot_be_removed_is_told() -> None:
    nodes = FakeNodes()
    nodes.stuck = True
    wire(nodes, 5001)
    docker: Any = nodes
    with pytest.raises(LocalloopError, match="read-only file system"):
        unwire(docker, NODE, written(docker, "demo", NODE))


# --- The ConfigMap ------------------------------------------------------------------------------


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def config_map(text: str, **more: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
        "data": {"localRegistryHosting.v1": text, **more},
    }


def test_one_of_ours_may_be_written_and_goes(api: FakeApi) -> None:
    kube = api.kube()
    assert may_publish(kube, "demo")
    assert not withdraw(kube, "demo")
    api.put(config_map(hosting("demo", 25001)))
    assert may_publish(kube, "demo")
    assert withdraw(kube, "demo")
    assert b'"resourceVersion"' in api.requests[-1][4]
    assert may_publish(kube, "demo")


@pytest.mark.parametrize(
    "found",
    [
        config_map('host: "localhost:5001"\n'),
        config_map(hosting("other", 25001)),
        config_map(hosting("demo", 25001) + "# mine now\n"),
        config_map(hosting("demo", 25001), more="mine"),
        {**config_map(""), "data": None},
    ],
)
def test_any_other_is_never_touched(api: FakeApi, found: dict[str, Any]) -> None:
    api.put(found)
    assert not may_publish(api.kube(), "demo")
    assert not withdraw(api.kube(), "demo")
    assert api.methods("DELETE") == []


@pytest.mark.parametrize(("status", "raises"), [(409, False), (403, True)])
def test_one_that_changes_meanwhile_stays(api: FakeApi, status: int, raises: bool) -> None:
    api.put(config_map(hosting("demo", 25001)))
    path = "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"
    said = {"kind": "Status", "reason": "Conflict", "message": "no"}
    api.answers["DELETE", path] = [(status, {}, said)]
    if raises:
        with pytest.raises(ApiError):
            withdraw(api.kube(), "demo")
    else:
        assert not withdraw(api.kube(), "demo")


@given(st.integers(1, 65535))
def test_what_it_says_is_a_registry_on_this_machine(port: int) -> None:
    import yaml

    said = yaml.safe_load(hosting("demo", port))
    assert said["host"] == said["hostFromContainerRuntime"] == f"127.0.0.1:{port}"
    assert said["hostFromClusterNetwork"] == "localloop-demo-registry:5000"
