"""Verdicts about the cluster and its registry, from what Docker says; what is noted of a
cluster."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from localloop.cluster import kind, owner
from localloop.cluster.containers import judge_nodes
from localloop.cluster.kubeconfig import ensure_kubeconfig
from localloop.cluster.ports import RANGES, choose_port, choose_ports, save_port
from localloop.cluster.registry_state import RegistryState
from localloop.cluster.state import (
    cluster_state,
    control_plane,
    kubeconfig_path,
    registry_container,
)
from localloop.config.cluster import NAME_MAX
from localloop.config.model import ClusterConfig, Port
from localloop.errors import LocalloopError, UsageError

API = "https://127.0.0.1:6550"
MISSING = RegistryState(verdict="create", reason="registry_missing")
SERVES = RegistryState(verdict="ok", ours=True, port=5001)
OURS = owner.Creation(owner="1d", finished=True, image="node:1", kubernetes="1.37.2")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def node(
    state: str = "running", *, name: str = "demo-control-plane", source: str = "/state/owner/1d"
) -> dict[str, Any]:
    role = "worker" if "worker" in name else "control-plane"
    ports = [{"IP": "127.0.0.1", "PrivatePort": 6443, "PublicPort": 6550, "Type": "tcp"}]
    return {
        "Id": f"id-of-{name}",
        "Names": [f"/{name}"],
        "Image": "node:1",
        "State": state,
        "Labels": {"io.x-k8s.kind.cluster": "demo", "io.x-k8s.kind.role": role},
        "Ports": ports if state == "running" and role == "control-plane" else [],
        "Mounts": [{"Type": "bind", "Source": source, "Destination": "/etc/localloop/owner"}],
    }


def worker(state: str = "running", number: str = "") -> dict[str, Any]:
    return node(state, name=f"demo-worker{number}")


@pytest.mark.parametrize(
    ("listed", "verdict", "reason"),
    [
        pytest.param([], "create", "cluster_missing", id="missing"),
        pytest.param([node()], "ok", "", id="running"),
        pytest.param([node("exited")], "start", "cluster_stopped", id="stopped"),
        pytest.param([node("created")], "create", "cluster_never_started", id="created"),
        pytest.param([node("paused")], "start", "cluster_paused", id="paused"),
        pytest.param([node("dead")], "restart", "cluster_dead", id="dead"),
        pytest.param([node("restarting")], "restart", "cluster_restarting", id="restarting"),
        pytest.param([worker(), node()], "ok", "", id="two-nodes"),
        pytest.param([worker("exited"), node()], "start", "node_stopped", id="worker-stopped"),
        pytest.param([worker("paused"), node()], "start", "cluster_paused", id="worker-paused"),
        pytest.param([worker()], "create", "cluster_incomplete", id="no-control-plane"),
    ],
)
def test_cluster_verdict(listed: Any, verdict: str, reason: str) -> None:
    state = cluster_state("demo", listed, MISSING, creation=OURS)
    assert (state.verdict, state.reason) == (verdict, reason)


def test_cluster_facts() -> None:
    listed = [worker(number="10"), worker(number="2"), worker(), node()]
    state = cluster_state("demo", listed, SERVES, creation=OURS)
    assert state.ours
    assert [each.name for each in state.nodes] == [
        "demo-control-plane",
        "demo-worker",
        "demo-worker2",
        "demo-worker10",
    ]
    assert state.api == "https://127.0.0.1:6550"
    assert (state.image, state.kubernetes) == ("node:1", "1.37.2")
    assert (state.registry_verdict, state.registry_port) == ("ok", 5001)


@pytest.mark.parametrize(
    ("creation", "source", "ours"),
    [
        (OURS, "/state/owner/1d", True),
        (OURS, "/host_mnt/state/owner/1d", True),
        (OURS, "/state/owner/0ther", False),
        (None, "/state/owner/1d", False),
    ],
)
def test_ours_is_what_mounts_the_noted_id(creation: Any, source: str, ours: bool) -> None:
    state = cluster_state("demo", [node(source=source)], MISSING, creation=creation)
    assert state.ours is ours
    assert state.verdict == "ok"


def test_a_create_that_was_killed_is_recognised() -> None:
    """It may have left any part of the nodes, in any state."""
    owner.begin("demo", "node:1")
    creation = owner.noted("demo")
    assert creation is not None
    source = f"/state/owner/{creation.owner}"
    for left in ([node(source=source)], [node("created", source=source)]):
        state = cluster_state("demo", left, MISSING, creation=creation)
        assert (state.verdict, state.reason, state.ours) == ("create", "cluster_half_made", True)
    owner.finish("demo", "1.37.2")
    state = cluster_state("demo", [node(source=source)], MISSING, creation=owner.noted("demo"))
    assert (state.verdict, state.kubernetes) == ("ok", "1.37.2")


def test_only_one_id_is_noted_at_a_time() -> None:
    first, second = owner.begin("demo", "node:1"), owner.begin("demo", "node:2")
    assert [each.name for each in second.parent.iterdir()] == [second.name]
    assert first != second
    noted = owner.noted("demo")
    assert noted is not None
    assert (noted.owner, noted.image, noted.finished) == (second.name, "node:2", False)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"unknown": 1}', '{"owner": "1d", "x": 1}'])
def test_a_damaged_note_is_none(content: str) -> None:
    owner.begin("demo", "node:1").parent.with_name("cluster.json").write_text(content)
    assert owner.noted("demo") is None


def test_what_was_accepted_is_not_lacking() -> None:
    wanted = ClusterConfig(name="demo", nodes=2, ports=(Port("127.0.0.1", 8080, 30080, "tcp"),))
    state = cluster_state("demo", [node()], MISSING, creation=OURS, wanted=wanted)
    assert len(state.lacks) == 2
    owner.begin("demo", "node:1")
    owner.accept("demo", state.lacks[:1])
    owner.accept("demo", state.lacks[1:])
    accepted = owner.noted("demo")
    assert accepted is not None
    kept = owner.Creation(owner="1d", finished=True, accepted=accepted.accepted)
    assert cluster_state("demo", [node()], MISSING, creation=kept, wanted=wanted).lacks == ()


def test_a_stopped_cluster_is_not_compared() -> None:
    wanted = ClusterConfig(name="demo", nodes=2)
    assert (
        cluster_state("demo", [node("exited")], MISSING, creation=OURS, wanted=wanted).lacks == ()
    )


def test_published_ports_are_shown() -> None:
    listed = node()
    listed["Ports"].append({"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 81, "Type": "tcp"})
    state = cluster_state("demo", [listed], MISSING, creation=OURS)
    assert state.published == ("0.0.0.0:81 -> 80/tcp",)


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
    assert choose_port("registry", "demo", configured=None, own=None) in RANGES["registry"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    save_port("registry", "demo", free)
    save_port("api", "demo", 6550)
    assert choose_port("registry", "demo", configured=None, own=None) == free


def test_clusters_created_at_the_same_time_choose_different_ports() -> None:
    names = [f"demo-{number}" for number in range(20)]
    for purpose, ports in RANGES.items():
        chosen = [choose_port(purpose, name, configured=None, own=None) for name in names]
        assert set(chosen) <= set(ports)
        assert len(set(chosen)) >= 18


def test_ports_are_chosen_before_anything_is_removed(taken_port: int) -> None:
    def chosen(*ports: Port, listed: Any = ()) -> Any:
        return choose_ports(ports, "demo", listed, api=Port("127.0.0.1", None, 6443, "tcp"))

    with pytest.raises(LocalloopError, match=f"port {taken_port}/tcp on 127.0.0.1") as caught:
        chosen(Port("127.0.0.1", taken_port, 30080, "tcp"))
    assert caught.value.reason == "port_taken"
    held = {"PrivatePort": 30080, "PublicPort": taken_port, "Type": "tcp", "IP": "127.0.0.1"}
    own = [{**node(), "Ports": [held, *node()["Ports"]]}]
    api, free = chosen(Port("127.0.0.1", taken_port, 30080, "tcp"), listed=own)
    assert (api, free) == (6550, {})
    any_port = Port("127.0.0.1", None, 30080, "tcp")
    assert chosen(any_port, listed=own)[1] == {any_port: taken_port}
    assert chosen(any_port)[1][any_port] in range(27000, 28000)


def test_a_taken_udp_port_is_found_before_anything_is_removed() -> None:
    api = Port("127.0.0.1", None, 6443, "tcp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        taken = server.getsockname()[1]
        with pytest.raises(LocalloopError, match=f"port {taken}/udp .* is taken") as caught:
            choose_ports([Port("127.0.0.1", taken, 53, "udp")], "demo", [], api=api)
        assert caught.value.reason == "port_taken"
        save_port("53/udp", "demo", taken)
        anywhere = Port("127.0.0.1", None, 53, "udp")
        assert choose_ports([anywhere], "demo", [], api=api)[1][anywhere] != taken
        # what the old cluster holds is only free for the same protocol
        old = {"PrivatePort": 53, "PublicPort": taken, "Type": "tcp", "IP": "127.0.0.1"}
        with pytest.raises(LocalloopError, match="is taken"):
            choose_ports([Port("127.0.0.1", taken, 53, "udp")], "demo", [{"Ports": [old]}], api=api)


def test_an_address_that_this_machine_does_not_have_is_not_a_taken_port() -> None:
    api = Port("127.0.0.1", None, 6443, "tcp")
    for host in (8080, None):
        with pytest.raises(UsageError, match=r"203\.0\.113\.9, which is no address") as caught:
            choose_ports([Port("203.0.113.9", host, 30080, "tcp")], "demo", [], api=api)
        assert caught.value.reason == "port_address_missing"


def test_what_only_root_may_bind_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    api = Port("127.0.0.1", None, 6443, "tcp")
    choose_ports([Port("127.0.0.1", 80, 30080, "tcp")], "demo", [], api=api)


def test_no_port_is_chosen_twice() -> None:
    api = Port("127.0.0.1", None, 6443, "tcp")
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    for purpose in ("api", "1/tcp", "2/tcp"):
        save_port(purpose, "demo", free)
    one, two = Port("127.0.0.1", None, 1, "tcp"), Port("127.0.0.1", None, 2, "tcp")
    chosen, others = choose_ports([one, two], "demo", [], api=api)
    assert len({chosen, others[one], others[two]}) == 3
    fixed = Port("127.0.0.1", free, 3, "tcp")
    chosen, others = choose_ports([one, fixed, two], "demo", [], api=api)
    assert len({chosen, free, others[one], others[two]}) == 4


def test_the_api_servers_port_of_the_users_file_is_looked_at_too(taken_port: int) -> None:
    api = Port("127.0.0.1", taken_port, 6443, "tcp")
    with pytest.raises(LocalloopError, match=f"port {taken_port} .* is taken") as caught:
        choose_ports([], "demo", [], api=api)
    assert caught.value.reason == "api_port_taken"
    held = {"PrivatePort": 6443, "PublicPort": taken_port, "Type": "tcp", "IP": "127.0.0.1"}
    assert choose_ports([], "demo", [{"Ports": [held]}], api=api) == (taken_port, {})


class Kubeconfig:
    """Stands for ``kind get kubeconfig``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.content = self.of(6550)
        self.asked = 0
        monkeypatch.setattr(kind, "read_kubeconfig", self._read)

    @staticmethod
    def of(port: int) -> bytes:
        return f"clusters:\n- cluster:\n    server: https://127.0.0.1:{port}\n".encode()

    def _read(self, name: str, *, environ: Any) -> bytes:
        assert name == "demo"
        self.asked += 1
        return self.content


def test_the_kubeconfig_is_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    said, path = Kubeconfig(monkeypatch), kubeconfig_path("demo")
    assert ensure_kubeconfig("demo", API, os.environ, check=True)
    assert not path.exists()
    assert ensure_kubeconfig("demo", API, os.environ)
    asked = said.asked
    assert not ensure_kubeconfig("demo", API, os.environ)
    assert said.asked == asked  # what it names is compared without a process
    assert path.read_bytes() == said.content
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.write_bytes(b"damaged")
    assert ensure_kubeconfig("demo", API, os.environ)
    path.write_bytes(said.of(6551))
    assert ensure_kubeconfig("demo", API, os.environ)
    assert path.read_bytes() == said.content
    path.chmod(0o644)
    assert ensure_kubeconfig("demo", API, os.environ)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(said.content + b"users: []\n")
    assert not ensure_kubeconfig("demo", API, os.environ)
    assert ensure_kubeconfig("demo", API, os.environ, renew=True)
    assert path.read_bytes() == said.content


def test_kind_sees_our_daemon_and_none_of_its_own_variables() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/nowhere",
        "KIND_CLUSTER_NAME": "other",
        "KIND_EXPERIMENTAL_PROVIDER": "podman",
        "KUBECONFIG": "/home/me/.kube/config",
        "DOCKER_HOST": "unix:///run/my.sock",
    }
    assert kind.child_environ(environ, "demo") == {
        "PATH": "/bin",
        "HOME": "/nowhere",
        "DOCKER_HOST": "unix:///run/my.sock",
    }


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy"])
def test_nodes_behind_a_proxy_reach_the_registry(variable: str) -> None:
    given = {"HOME": "/nowhere", variable: "http://p:1", "no_proxy": ".corp"}
    made = kind.child_environ(given, "demo")
    for name in ("NO_PROXY", "no_proxy"):
        assert {".corp", "localloop-demo-registry"} <= set(made[name].split(","))
    assert made[variable.upper()] == made[variable.lower()] == "http://p:1"


def test_nodes_get_no_proxy_that_they_cannot_reach() -> None:
    given = {"HOME": "/nowhere", "HTTP_PROXY": "http://127.0.0.1:3128", "NO_PROXY": ".corp"}
    made = kind.child_environ(given, "demo")
    assert not [name for name in made if "PROXY" in name.upper()]


def test_a_lock_that_a_killed_kind_left_is_removed() -> None:
    path = kubeconfig_path("demo")
    path.parent.mkdir(parents=True)
    lock = path.with_name("kubeconfig.lock")
    lock.touch()
    kind.forget_kubeconfig("demo")
    assert not lock.exists()
    kind.forget_kubeconfig("demo")


def test_the_name_of_the_control_plane_is_kinds() -> None:
    assert control_plane("demo") == "demo-control-plane"


def test_damaged_saved_ports_are_ignored() -> None:
    save_port("api", "demo", 6550)
    path = kubeconfig_path("demo").with_name("ports.json")
    assert json.loads(path.read_text()) == {"api": 6550}
    path.write_text("[")
    save_port("api", "demo", 6551)
    assert json.loads(path.read_text()) == {"api": 6551}


@pytest.mark.parametrize(
    ("status", "age"),
    [
        ("Up Less than a second", 0),
        ("Up 1 second", 1),
        ("Up 59 seconds (healthy)", 59),
        ("Up About a minute", None),
        ("Up 3 hours (Paused)", None),
        ("Exited (0) 5 seconds ago", None),
        ("", None),
    ],
)
def test_how_long_a_node_has_run(status: str, age: int | None) -> None:
    (found,) = judge_nodes([{**node(), "Status": status}], None).nodes
    assert found.age == age


def test_the_longest_name_fits_into_the_names_that_are_looked_up() -> None:
    longest = "a" * NAME_MAX
    assert len(registry_container(longest)) == 63
    assert len(control_plane(longest)) <= 63
