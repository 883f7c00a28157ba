"""Verdicts about the bundled cluster, from what Docker's inspect says."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from localloop.cluster.ports import PORTS, choose_port, save_port
from localloop.cluster.state import (
    cluster_state,
    ensure_kubeconfig,
    kubeconfig_path,
    registry_state,
)
from localloop.errors import LocalloopError

OURS = {"localloop.cluster": "demo"}


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def node(
    status: str = "running", health: str | None = "healthy", labels: Any = None
) -> dict[str, Any]:
    state: dict[str, Any] = {"Status": status, "Running": status in ("running", "paused")}
    if health:
        state["Health"] = {"Status": health}
    return {
        "Id": "n0de",
        "State": state,
        "Config": {
            "Image": "localloop/node:1",
            "Labels": {**OURS, "localloop.platform": "linux/amd64"} if labels is None else labels,
        },
        "HostConfig": {"PortBindings": {"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "6550"}]}},
    }


def registry(
    status: str = "running",
    *,
    bindings: Any = ({"HostIp": "127.0.0.1", "HostPort": "5001"},),
    env: Any = (),
    networks: Any = ("localloop-demo",),
    labels: Any = None,
) -> dict[str, Any]:
    return {
        "Id": "reg",
        "State": {"Status": status, "Running": status in ("running", "paused")},
        "Config": {"Env": list(env), "Labels": OURS if labels is None else labels},
        "HostConfig": {"PortBindings": {"5000/tcp": list(bindings)}},
        "NetworkSettings": {"Networks": {key: {} for key in networks}},
    }


@pytest.mark.parametrize(
    ("found", "verdict", "reason", "starting"),
    [
        pytest.param(None, "create", "cluster_missing", False, id="missing"),
        pytest.param(node("exited", "unhealthy"), "start", "cluster_stopped", False, id="stopped"),
        pytest.param(node("created", None), "create", "cluster_never_started", False, id="created"),
        pytest.param(node(), "ok", "", False, id="healthy"),
        pytest.param(node(health=None), "ok", "", False, id="no-health-check"),
        pytest.param(node(health="starting"), "ok", "", True, id="starting"),
        pytest.param(node(health="unhealthy"), "restart", "cluster_unhealthy", False, id="sick"),
        pytest.param(node("paused"), "restart", "cluster_paused", False, id="paused"),
    ],
)
def test_cluster_verdict(found: Any, verdict: str, reason: str, starting: bool) -> None:
    state = cluster_state("demo", found, None)
    assert (state.verdict, state.reason, state.starting) == (verdict, reason, starting)


def test_cluster_facts() -> None:
    state = cluster_state("demo", node(), registry())
    assert state.ours
    assert state.container_id == "n0de"
    assert state.api == "https://127.0.0.1:6550"
    assert state.platform == "linux/amd64"
    assert (state.registry_verdict, state.registry_port) == ("ok", 5001)


@pytest.mark.parametrize("labels", [{}, {"localloop.cluster": "other"}])
def test_a_container_without_our_label_is_not_ours(labels: dict[str, str]) -> None:
    assert not cluster_state("demo", node(labels=labels), None).ours
    assert not registry_state("demo", registry(labels=labels)).ours


@pytest.mark.parametrize(
    ("found", "options", "verdict", "reason"),
    [
        pytest.param(None, {}, "create", "registry_missing", id="missing"),
        pytest.param(registry(), {}, "ok", "", id="ok"),
        pytest.param(registry("exited"), {}, "start", "registry_stopped", id="stopped"),
        pytest.param(registry("paused"), {}, "recreate", "registry_paused", id="paused"),
        pytest.param(
            registry(), {"answers": False}, "recreate", "registry_not_answering", id="mute"
        ),
        pytest.param(
            registry(env=["REGISTRY_PROXY_REMOTEURL=https://mirror"]),
            {},
            "recreate",
            "registry_proxy_mode",
            id="proxy",
        ),
        pytest.param(registry(env=["REGISTRY_PROXY_REMOTEURL="]), {}, "ok", "", id="no-proxy"),
        pytest.param(
            registry(), {"wanted_port": 5005}, "recreate", "registry_wrong_port", id="other-port"
        ),
        pytest.param(
            registry(bindings=[{"HostIp": "", "HostPort": "5001"}]),
            {},
            "recreate",
            "registry_wrong_port",
            id="open-to-the-network",
        ),
        pytest.param(registry(bindings=()), {}, "recreate", "registry_wrong_port", id="private"),
        pytest.param(
            registry(networks=["bridge"]), {}, "recreate", "registry_wrong_network", id="network"
        ),
    ],
)
def test_registry_verdict(found: Any, options: Any, verdict: str, reason: str) -> None:
    state = registry_state("demo", found, **options)
    assert (state.verdict, state.reason) == (verdict, reason)


@pytest.fixture
def taken_port() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_configured_port_is_named(taken_port: int) -> None:
    with pytest.raises(LocalloopError, match=f"port {taken_port} .* is taken") as caught:
        choose_port("registry", "demo", configured=taken_port, own=None)
    assert caught.value.reason == "registry_port_taken"


def test_a_configured_port_may_be_held_by_the_container_it_is_for(taken_port: int) -> None:
    assert choose_port("registry", "demo", configured=taken_port, own=taken_port) == taken_port


def test_a_saved_port_is_used_unless_taken(taken_port: int) -> None:
    save_port("registry", "demo", taken_port)
    assert choose_port("registry", "demo", configured=None, own=None) in PORTS["registry"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    save_port("registry", "demo", free)
    save_port("api", "demo", 6550)
    assert choose_port("registry", "demo", configured=None, own=None) == free


def test_clusters_created_at_the_same_time_choose_different_ports() -> None:
    names = [f"demo-{number}" for number in range(20)]
    for purpose, ports in PORTS.items():
        chosen = [choose_port(purpose, name, configured=None, own=None) for name in names]
        assert set(chosen) <= set(ports)
        assert len(set(chosen)) >= 18


class FakeDocker:
    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.engine = self

    def read_file(self, container: str, path: str) -> bytes | None:
        assert (container, path) == ("localloop-demo", "/var/lib/localloop/kubeconfig")
        return self.content


def test_the_kubeconfig_is_derived() -> None:
    docker: Any = FakeDocker(b"one")
    path = kubeconfig_path("demo")
    assert ensure_kubeconfig(docker, "demo", check=True)
    assert not path.exists()
    assert ensure_kubeconfig(docker, "demo")
    assert not ensure_kubeconfig(docker, "demo")
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.write_bytes(b"damaged")
    assert ensure_kubeconfig(docker, "demo")
    path.chmod(0o644)
    assert ensure_kubeconfig(docker, "demo")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_node_without_kubeconfig_is_named() -> None:
    docker: Any = FakeDocker(None)
    with pytest.raises(LocalloopError) as caught:
        ensure_kubeconfig(docker, "demo")
    assert caught.value.reason == "kubeconfig_missing"


def test_damaged_saved_ports_are_ignored() -> None:
    save_port("api", "demo", 6550)
    path = kubeconfig_path("demo").with_name("ports.json")
    assert json.loads(path.read_text()) == {"api": 6550}
    path.write_text("[")
    save_port("api", "demo", 6551)
    assert json.loads(path.read_text()) == {"api": 6551}
