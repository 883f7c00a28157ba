"""Which cluster this is: the pin on this machine, and servers that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_store import FakeStore

from localloop.cluster.identity import cluster_uid, pin, pin_path, pinned_uid, refuse_remote
from localloop.errors import UsageError
from localloop.kube.client import Kube
from localloop.kube.kubeconfig import KubeConfig


def test_pin_is_kept_per_provider_cluster_and_project(own_state_home: Path) -> None:
    path = pin_path("kind", "hello", "web")
    assert path == own_state_home / "localloop" / "pins" / "kind" / "hello" / "web"
    assert pinned_uid(path) == ""
    pin(path, "uid-1")
    assert pinned_uid(path) == "uid-1"
    assert pinned_uid(pin_path("existing", "hello", "web")) == ""
    assert pinned_uid(pin_path("kind", "hello", "api")) == ""


def test_pin_is_replaced_atomically_and_only_if_it_changed() -> None:
    path = pin_path("kind", "hello", "web")
    pin(path, "uid-1")
    before = path.stat()
    pin(path, "uid-1")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    pin(path, "uid-2")
    assert pinned_uid(path) == "uid-2"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\x00", b"uid-1"])
def test_damaged_pin_is_replaced(content: bytes) -> None:
    path = pin_path("kind", "hello", "web")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    pinned_uid(path)
    pin(path, "uid-2")
    assert pinned_uid(path) == "uid-2"


def test_cluster_uid() -> None:
    with FakeStore() as api:
        assert cluster_uid(api.kube()) == ""
        api.namespace("kube-system")
        wanted = api.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"]
        assert cluster_uid(api.kube()) == wanted


@pytest.mark.parametrize(
    "server",
    ["https://127.0.0.1:6443", "https://[::1]:6443", "https://localhost:1", "https://10.0.0.2:6443",
     "https://192.168.1.2:6443", "https://172.16.0.1", "https://0.0.0.0:6443"],
)  # fmt: skip
def test_local_server(server: str) -> None:
    refuse_remote(Kube(KubeConfig("any", server)))


@pytest.mark.parametrize(
    "server",
    ["https://8.8.8.8:6443", "https://prod.example.com", "https://127.0.0.1.example.com",
     "https://localhost.example.com", "https://172.32.0.1", "https://[2001:db8::1]:6443",
     "https://127.0.0.1@example.com"],
)  # fmt: skip
def test_remote_server_is_refused_whatever_its_name(server: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_remote(Kube(KubeConfig("kind-local", server)))
    assert (caught.value.reason, caught.value.exit_code) == ("cluster_not_local", 2)
    assert f"context kind-local is at {server}" in caught.value.message
