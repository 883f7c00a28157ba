"""What no child asks a proxy for: found where it exists, and never a reason to fail."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from localloop.cluster.direct import direct_hosts
from localloop.errors import LocalloopError, UsageError

NETWORKS = {
    "kind": {"IPAM": {"Config": [{"Subnet": "172.20.0.0/16"}, {"Subnet": "fc00::/64"}]}},
    "mine": {"IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}, {"Gateway": "10.9.0.1"}]}},
    "host": {"IPAM": {"Config": None}},
}


class FakeDocker:
    """Networks, and nodes ``NAME`` in the network of that name. ``down``: no daemon."""

    down = False

    def inspect_network(self, name: str) -> dict[str, Any] | None:
        if self.down:
            raise LocalloopError("docker_unreachable", "no daemon")
        return NETWORKS.get(name)

    def inspect_container(self, name: str) -> dict[str, Any] | None:
        return {"NetworkSettings": {"Networks": {name: {}}}}


class FakeProvider:
    """A provider whose server, or a whole cluster, may not be there."""

    def __init__(self, server: str, *nodes: str, owns: bool = False) -> None:
        self.owns = owns
        self._server = server
        self._nodes = nodes

    @property
    def server(self) -> str:
        if not self._server:
            raise UsageError("context_missing", "no context")
        return self._server

    def find(self) -> Any:
        assert not self.owns, "the network of our own nodes is known"
        if not self._nodes:
            raise UsageError("cluster_unreachable", "no answer")
        return SimpleNamespace(nodes=[SimpleNamespace(name=name) for name in self._nodes])


def found(provider: FakeProvider, *, down: bool = False) -> tuple[str, ...]:
    docker = FakeDocker()
    docker.down = down
    return direct_hosts(docker, provider, "demo")  # type: ignore[arg-type]


KIND = ("172.20.0.0/16",)  # and no IPv6 network, which not every reader of NO_PROXY survives
REGISTRY = "localloop-demo-registry"


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (FakeProvider("https://127.0.0.1:6443", owns=True), (REGISTRY, "127.0.0.1", *KIND)),
        (FakeProvider("", owns=True), (REGISTRY, *KIND)),
        (
            FakeProvider("https://api.corp:6443", "mine", "host", "gone"),
            (REGISTRY, "api.corp", *KIND, "10.9.0.0/24"),
        ),
        (FakeProvider("https://[fd00::1]:6443", "kind"), (REGISTRY, "fd00::1", *KIND)),
    ],
)
def test_the_registry_the_server_and_the_nodes_networks(
    provider: FakeProvider, expected: tuple[str, ...]
) -> None:
    assert found(provider) == expected


def test_neither_docker_nor_the_cluster_has_to_answer() -> None:
    assert found(FakeProvider("https://api.corp"), down=True) == (REGISTRY, "api.corp")
    assert found(FakeProvider("", "mine"), down=True) == (REGISTRY,)
    assert found(FakeProvider("https://api.corp")) == (REGISTRY, "api.corp", *KIND)
