"""The registry's states, one by one: the role ``registry`` alone, on the cluster's real registry.

After each of them the same has to hold: images that are pushed reach the node by the registry's
name on the host, the port is on the loopback address alone, a bystander was not touched, and the
registry was recreated once, or not at all. The loop around it is in test_faults_registry.py.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.outside import NETWORK, Cluster, docker
from localloop.cluster.containers import NodeContainer
from localloop.cluster.registry_probe import require_pulls
from localloop.cluster.route import Route
from localloop.registry.client import Registry as Client
from localloop.session import host_platform
from localloop.system.docker import Docker

pytestmark = pytest.mark.cluster

REPOSITORY = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- name: Registry
  hosts: localhost
  gather_facts: false
  roles: [{role: registry}]
"""


@dataclass(frozen=True)
class Registry:
    """The cluster's registry, from outside."""

    cluster: Cluster
    image: str
    home: Path

    @property
    def name(self) -> str:
        return self.cluster.registry_container

    @property
    def port(self) -> str:
        return self.cluster.registry_url().rpartition(":")[2]

    @property
    def id(self) -> str:
        """Empty if it is missing."""
        return docker("ps", "-aq", "--no-trunc", "--filter", f"name=^/{self.name}$")

    @property
    def address(self) -> str:
        return address_of(self.name)

    def repair(self, *words: str, code: int = 0, **more: object) -> str:
        """Run the role, which has to exit with ``code``; what it says."""
        playbook = self.home / "registry.yml"
        playbook.write_text(PLAYBOOK)
        given = {
            "registry_cluster_name": self.cluster.name,
            "registry_kubeconfig": str(self.cluster.kubeconfig),
            "ansible_python_interpreter": sys.executable,
            **more,
        }
        program = Path(sys.executable).with_name("ansible-playbook")
        done = subprocess.run(
            [
                program,
                "-v",
                "-i",
                "localhost,",
                "-c",
                "local",
                playbook,
                "-e",
                json.dumps(given),
                *words,
            ],
            env={
                **self.cluster.env(),
                "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
                "ANSIBLE_INVENTORY_ENABLED": "host_list",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        text = done.stdout + done.stderr
        assert done.returncode == code, text
        return text

    def replaced(self, *words: str, network: str = NETWORK, mapping: str = "") -> None:
        """Put another in its place, which is localloop's and wrong in some way; not started."""
        mapping = mapping or f"127.0.0.1:{self.port}:5000"
        docker("rm", "-f", self.name)
        labels = ("--label", f"localloop.cluster={self.cluster.name}")
        labels += ("--label", "localloop.role=registry")
        volume = ("-v", f"{self.name}:/var/lib/registry")
        place = ("--network", network, "-p", mapping)
        docker("create", "--name", self.name, *labels, *volume, *place, *words, self.image)

    def serves(self) -> None:
        """From the loopback address alone, and what is pushed to it here is what the node pulls."""
        bindings = docker("inspect", "-f", "{{json .HostConfig.PortBindings}}", self.name)
        assert json.loads(bindings) == {
            "5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": self.port}]
        }
        address = f"127.0.0.1:{self.port}"
        route = Route(name="registry", why="a test", push=address, pull=address)
        node = NodeContainer(
            name=self.cluster.node,
            role="control-plane",
            state="running",
            container_id=os.urandom(4).hex(),  # so that it is asked again
            image="",
        )
        require_pulls(Docker(), "states", route, [node], host_platform())


@contextmanager
def creations(container: str) -> Iterator[list[str]]:
    """The ids of the containers of that name that are created meanwhile."""
    created: list[str] = []
    since = f"{time.time():.9f}"
    yield created
    until = f"{time.time():.9f}"
    of = ("--filter", f"container={container}", "--filter", "event=create")
    created += docker(
        "events", "--since", since, "--until", until, *of, "--format", "{{.ID}}"
    ).split()


def address_of(container: str) -> str:
    return docker(
        "inspect",
        "-f",
        f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}',
        container,
    )


def state_of(container: str) -> str:
    return docker("inspect", "-f", "{{.Id}} {{.State.Status}} {{.State.StartedAt}}", container)


@pytest.fixture
def registry(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry as it should be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    image = docker("inspect", "-f", "{{.Config.Image}}", cluster.registry_container)
    return Registry(cluster, image, tmp_path)


@pytest.fixture
def bystander(registry: Registry) -> Iterator[str]:
    """Another registry on the same network, which nothing may touch, nor the node."""
    name = f"{registry.cluster.node}-bystander"
    docker("run", "-d", "--name", name, "--network", NETWORK, registry.image)
    before = state_of(name), state_of(registry.cluster.node)
    try:
        yield name
        assert (state_of(name), state_of(registry.cluster.node)) == before
    finally:
        docker("rm", "-f", name)


def absent(registry: Registry, _: str) -> None:
    docker("rm", "-f", registry.name)


def wiped(registry: Registry, _: str) -> None:
    docker("rm", "-f", registry.name)
    docker("volume", "rm", registry.name)


def stopped(registry: Registry, _: str) -> None:
    docker("stop", "-t", "1", registry.name)


def paused(registry: Registry, _: str) -> None:
    docker("pause", registry.name)


def frozen(registry: Registry, _: str) -> None:
    docker("kill", "--signal", "STOP", registry.name)


def restarting(registry: Registry, _: str) -> None:
    registry.replaced("--restart", "always", "-e", "REGISTRY_HTTP_ADDR=nowhere")
    docker("start", registry.name)
    deadline = time.monotonic() + 60
    while docker("inspect", "-f", "{{.State.Status}}", registry.name) != "restarting":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def never_starting(registry: Registry, _: str) -> None:
    registry.replaced("--entrypoint", "/there/is/no/such/program")


def proxy(registry: Registry, bystander: str) -> None:
    registry.replaced("-e", f"REGISTRY_PROXY_REMOTEURL=http://{bystander}:5000")
    docker("start", registry.name)


def read_only(registry: Registry, _: str) -> None:
    registry.replaced("-e", 'REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled":true}')
    docker("start", registry.name)


def open_to_the_network(registry: Registry, _: str) -> None:
    registry.replaced(mapping=f"{registry.port}:5000")
    docker("start", registry.name)


def wrong_port_inside(registry: Registry, _: str) -> None:
    registry.replaced(mapping=f"127.0.0.1:{registry.port}:5999")
    docker("start", registry.name)


def wrong_network(registry: Registry, _: str) -> None:
    registry.replaced(network="bridge")
    docker("start", registry.name)


def deaf_to_the_network(registry: Registry, _: str) -> None:
    """It answers this host, through the network's gateway, and drops what nodes send."""
    docker("restart", "-t", "1", registry.name)
    image = docker("inspect", "-f", "{{.Config.Image}}", registry.cluster.node)
    inside = ("--privileged", "--network", f"container:{registry.name}", "--entrypoint", "sh")
    script = "iptables -A INPUT -s $1 -j DROP; ip6tables -A INPUT -p tcp --dport 5000 -j DROP"
    node = address_of(registry.cluster.node)
    docker("run", "--rm", *inside, image, "-euc", script, "sh", node)


Wreck = Callable[[Registry, str], None]


@pytest.mark.parametrize(
    ("wreck", "reason"),
    [
        (absent, "registry_missing"),
        (wiped, "registry_missing"),
        (stopped, "registry_stopped"),
        (paused, "registry_paused"),
        (frozen, "registry_not_answering"),
        (restarting, "registry_(restarting|not_answering)"),  # it runs between its restarts
        (never_starting, "registry_not_starting"),
        (proxy, "registry_proxy_mode"),
        (read_only, "registry_refuses_pushes"),
        (open_to_the_network, "registry_wrong_port"),
        (wrong_port_inside, "registry_wrong_port"),
        (wrong_network, "registry_wrong_network"),
        (deaf_to_the_network, "registry_not_reached"),
    ],
)
def test_it_serves_again(registry: Registry, bystander: str, wreck: Wreck, reason: str) -> None:
    """Only a stopped one is started; all others are recreated, once, with their images."""
    port = registry.port
    kept = Client(f"127.0.0.1:{port}").push_blob("marker", b"kept")
    wreck(registry, bystander)
    before = registry.id
    with creations(registry.name) as created:
        said = registry.repair()
    assert re.search(reason, said), said
    assert len(created) == (wreck is not stopped)
    assert registry.id == (before if wreck is stopped else created[0])
    assert registry.port == port
    assert (registry.cluster.registry("GET", f"marker/blobs/{kept}")[2] == b"kept") is (
        wreck is not wiped
    )
    registry.serves()


def test_check_mode_changes_nothing(registry: Registry, bystander: str) -> None:
    for wreck, undo, told in (
        (stopped, "start", "Start the container"),
        (paused, "unpause", "would be created"),
    ):
        wreck(registry, bystander)
        before = state_of(registry.name)
        assert told in registry.repair("--check")
        assert state_of(registry.name) == before
        docker(undo, registry.name)


def test_a_container_of_its_name_that_is_not_ours_is_left_alone(
    registry: Registry, bystander: str
) -> None:
    """It is right in every respect, except that it lacks localloop's label."""
    port = registry.port
    docker("rm", "-f", registry.name)
    place = ("--network", NETWORK, "-p", f"127.0.0.1:{port}:5000")
    volume = ("-v", f"{registry.name}:/var/lib/registry")
    docker("run", "-d", "--name", registry.name, *place, *volume, registry.image)
    try:
        for words in ([], ["pause"], ["kill"]):
            if words:
                docker(*words, registry.name)
            foreign = state_of(registry.name)
            said = registry.repair(code=2)
            assert "registry_not_ours" in said
            assert registry.name in said
            assert state_of(registry.name) == foreign
    finally:
        docker("rm", "-f", registry.name)
    registry.repair(registry_port=int(port))
    registry.serves()


def test_a_foreign_listener_has_its_port(registry: Registry, bystander: str) -> None:
    """It moves to another one, under which the node knows it too."""
    port = registry.port
    stopped(registry, bystander)
    with socket.create_server(("127.0.0.1", int(port))), creations(registry.name) as created:
        said = registry.repair()
        assert "registry_port_taken" in said
        assert registry.port != port
    assert len(created) == 1
    registry.serves()
    told = registry.cluster.get("configmap", "-n", "kube-public", "local-registry-hosting")
    assert f"127.0.0.1:{registry.port}" in told["data"]["localRegistryHosting.v1"]


def test_its_address_changed(registry: Registry, bystander: str) -> None:
    """As after a restart of Docker: nodes know it by name, so nothing is to be done."""
    before, address = registry.id, registry.address
    docker("network", "disconnect", NETWORK, registry.name)
    filler = f"{registry.name}-filler"
    docker("run", "-d", "--name", filler, "--network", NETWORK, registry.image)
    try:
        docker("network", "connect", NETWORK, registry.name)
        assert registry.address != address
        assert "changed=0" in registry.repair()
        assert registry.id == before
        registry.serves()
    finally:
        docker("rm", "-f", filler)


@pytest.mark.parametrize("content", ["", 'server = "http://192.0.2.1:5000"'])
def test_a_node_that_does_not_know_it(registry: Registry, bystander: str, content: str) -> None:
    """One that was made anew, or names an address of before: it is told, and no more is done."""
    before, mirrors = state_of(registry.name), "/etc/containerd/certs.d"
    file = f"{mirrors}/127.0.0.1:{registry.port}/hosts.toml"
    script = f"printf %s '{content}' > {file}" if content else f"rm -r {mirrors}"
    docker("exec", registry.cluster.node, "sh", "-euc", script)
    registry.repair()
    assert registry.cluster.registry_container in docker("exec", registry.cluster.node, "cat", file)
    assert state_of(registry.name) == before
    registry.serves()


def test_one_that_cannot_be_repaired(registry: Registry, bystander: str) -> None:
    """A node takes another address for its: it is recreated once, then what was seen is told."""
    node = registry.cluster.node
    docker(
        "exec",
        node,
        "sh",
        "-euc",
        f"cp /etc/hosts /hosts; echo 127.0.0.1 {registry.name} >> /etc/hosts",
    )
    docker("restart", "-t", "1", registry.name)
    try:
        with creations(registry.name) as created:
            said = registry.repair(code=2, registry_timeout=3)
        assert len(created) == 1
        assert "registry_not_repaired" in said
        for shown in (
            "registry_not_reached",
            f"node {node}: curl ended with",
            "networks: ",
            "log: ",
        ):
            assert shown in said
    finally:
        docker("exec", node, "sh", "-euc", "cat /hosts > /etc/hosts; rm /hosts")
    assert "changed=0" in registry.repair()
    registry.serves()
