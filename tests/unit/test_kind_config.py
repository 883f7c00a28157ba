"""The configuration that kind gets, and what live nodes lack of what is wanted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.cluster.kind_config import (
    api_wanted,
    kind_config,
    ports_wanted,
    rendered,
    unsupported_by_own_image,
)
from localloop.cluster.requirement import lacking
from localloop.config.kind_file import read_kind_file
from localloop.config.model import ClusterConfig, Mount, Port
from localloop.errors import UsageError

LOCAL = "127.0.0.1"
OWNER = Path("/state/owner/abc")
OURS = {"hostPath": str(OWNER), "containerPath": "/etc/localloop/owner", "readOnly": True}
TYPE = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"


def made(config: ClusterConfig, **more: Any) -> dict[str, Any]:
    found = kind_config(config, owner=OWNER, api_port=26001, **more)
    assert json.loads(rendered(found)) == found
    return found


def of_file(tmp_path: Path, text: str) -> ClusterConfig:
    path = tmp_path / "kind.yaml"
    path.write_text(TYPE + text)
    document = read_kind_file(path, name="kind.yaml", base=tmp_path)
    return ClusterConfig(name="hello", kind_config=path, kind_document=document)


def test_one_node() -> None:
    assert made(ClusterConfig(name="hello")) == {
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "name": "hello",
        "networking": {"apiServerAddress": LOCAL, "apiServerPort": 26001},
        "nodes": [{"role": "control-plane", "extraMounts": [OURS], "extraPortMappings": []}],
    }


def test_several_nodes_ports_and_mounts() -> None:
    free = Port(LOCAL, None, 30081, "udp")
    config = ClusterConfig(
        name="hello",
        nodes=3,
        ports=(Port("0.0.0.0", 8080, 30080, "tcp"), free),
        mounts=(Mount(Path("/x"), "/data", False), Mount(Path("/y"), "/models", True)),
    )
    assert [port for port in ports_wanted(config) if port.host is None] == [free]
    mounts = [
        {"hostPath": "/x", "containerPath": "/data", "readOnly": False},
        {"hostPath": "/y", "containerPath": "/models", "readOnly": True},
        OURS,
    ]
    nodes = made(config, free_ports={free: 40001})["nodes"]
    assert nodes == [
        {
            "role": "control-plane",
            "extraMounts": mounts,
            "extraPortMappings": [
                {
                    "containerPort": 30080,
                    "hostPort": 8080,
                    "listenAddress": "0.0.0.0",
                    "protocol": "TCP",
                },
                {
                    "containerPort": 30081,
                    "hostPort": 40001,
                    "listenAddress": LOCAL,
                    "protocol": "UDP",
                },
            ],
        },
        {"role": "worker", "extraMounts": mounts},
        {"role": "worker", "extraMounts": mounts},
    ]


def test_a_kubelet_that_refuses_cgroup_v1() -> None:
    patches = made(ClusterConfig(name="hello"), fail_cgroup_v1_patch=True)["kubeadmConfigPatches"]
    assert patches == ["kind: KubeletConfiguration\nfailCgroupV1: false\n"]


def test_an_image_with_patches_for_what_kubeadm_makes(tmp_path: Path) -> None:
    config = of_file(tmp_path, "kubeadmConfigPatches: ['kind: one']\n")
    patches = made(config, kubeadm_patches="/kind/patches")["kubeadmConfigPatches"]
    assert patches == [
        "kind: InitConfiguration\npatches: {directory: /kind/patches}\n",
        "kind: one",
    ]


def test_the_users_file_keeps_what_it_has(tmp_path: Path) -> None:
    config = of_file(
        tmp_path,
        "name: mine\n"
        "networking: {apiServerPort: 7000, podSubnet: 10.1.0.0/16}\n"
        "kubeadmConfigPatches: ['kind: one']\ncontainerdConfigPatches: [two = 2]\n"
        "nodes:\n- extraPortMappings:\n"
        "  - {containerPort: 80, hostPort: 8080}\n"
        "  - {containerPort: 81, hostPort: 8081, listenAddress: 0.0.0.0, protocol: udp}\n"
        "  - {containerPort: 82}\n  - {containerPort: 82}\n"
        "- role: worker\n  image: kindest/node:v1.36.0\n"
        "  extraMounts: [{hostPath: data, containerPath: /data, propagation: Bidirectional}]\n",
    )
    before = json.dumps(config.kind_document)
    (free, _) = (port for port in ports_wanted(config) if port.host is None)
    assert made(config, free_ports={free: 40001}, fail_cgroup_v1_patch=True) == {
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "name": "hello",
        "networking": {
            "apiServerAddress": LOCAL,
            "apiServerPort": 7000,
            "podSubnet": "10.1.0.0/16",
        },
        "kubeadmConfigPatches": ["kind: KubeletConfiguration\nfailCgroupV1: false\n", "kind: one"],
        "containerdConfigPatches": ["two = 2"],
        "nodes": [
            {
                "role": "control-plane",
                "extraPortMappings": [
                    {"containerPort": 80, "hostPort": 8080, "listenAddress": LOCAL},
                    {
                        "containerPort": 81,
                        "hostPort": 8081,
                        "listenAddress": "0.0.0.0",
                        "protocol": "udp",
                    },
                    {"containerPort": 82, "hostPort": 40001, "listenAddress": LOCAL},
                    {"containerPort": 82, "listenAddress": LOCAL},
                ],
                "extraMounts": [OURS],
            },
            {
                "role": "worker",
                "image": "kindest/node:v1.36.0",
                "extraMounts": [
                    {
                        "hostPath": str(tmp_path / "data"),
                        "containerPath": "/data",
                        "propagation": "Bidirectional",
                    },
                    OURS,
                ],
            },
        ],
    }
    assert json.dumps(config.kind_document) == before


@pytest.mark.parametrize(
    "text", ["", "nodes: []\n", "nodes:\n", "networking: {apiServerPort: 0}\n"]
)
def test_a_file_that_says_little(tmp_path: Path, text: str) -> None:
    found = made(of_file(tmp_path, text))
    assert found["nodes"] == [{"role": "control-plane", "extraMounts": [OURS]}]
    assert found["networking"]["apiServerPort"] == 26001


UNSUPPORTED = [
    ("", []),
    ("nodes: [{role: worker}, {role: control-plane}]\nnetworking: {ipFamily: ipv4}\n", []),
    ("nodes: [{}, {role: control-plane}]\n", ["several control planes"]),
    ("networking: {ipFamily: dual}\n", ["IPv6 (ipFamily: dual)"]),
    ("networking: {ipFamily: ipv6, disableDefaultCNI: true}\n", ["IPv6", "another CNI"]),
    ("networking: {disableDefaultCNI: false}\n", []),
]


@pytest.mark.parametrize(("text", "phrases"), UNSUPPORTED)
def test_what_our_own_image_cannot_do(tmp_path: Path, text: str, phrases: list[str]) -> None:
    found = unsupported_by_own_image(of_file(tmp_path, text))
    assert len(found) == len(phrases)
    assert all(phrase in each for phrase, each in zip(phrases, found, strict=True))


# --- What is lacking -----------------------------------------------------------------------------


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers that Docker would list for a cluster made from this configuration."""
    counts: dict[str, int] = {}
    found = []
    for node in document["nodes"]:
        role = node["role"]
        counts[role] = number = counts.get(role, 0) + 1
        ports = [
            {
                "IP": mapping["listenAddress"],
                "PrivatePort": mapping["containerPort"],
                "PublicPort": mapping.get("hostPort") or 45000 + index,
                "Type": mapping.get("protocol", "TCP").lower(),
            }
            for index, mapping in enumerate(node.get("extraPortMappings", ()))
        ]
        if role == "control-plane":
            api = document["networking"]["apiServerPort"]
            ports.append({"IP": LOCAL, "PrivatePort": 6443, "PublicPort": api, "Type": "tcp"})
        found.append(
            {
                "Names": [f"/{document['name']}-{role}{number if number > 1 else ''}"],
                "Labels": {"io.x-k8s.kind.role": role},
                "State": "running",
                "Ports": ports,
                "Mounts": [
                    {
                        "Type": "bind",
                        "Source": mount["hostPath"],
                        "Destination": mount["containerPath"],
                        "RW": not mount.get("readOnly"),
                    }
                    for mount in node["extraMounts"]
                ],
            }
        )
    return found


BARE = ClusterConfig(name="hello")


def live(config: ClusterConfig = BARE) -> list[dict[str, Any]]:
    return containers(made(config))


def test_the_same_and_more_is_enough() -> None:
    big = replace(
        BARE,
        nodes=3,
        ports=(Port(LOCAL, 8080, 30080, "tcp"),),
        mounts=(Mount(Path("/x"), "/data", False),),
    )
    assert lacking(big, live(big)) == ()
    assert lacking(BARE, live(big)) == ()


def test_each_lack_is_named() -> None:
    wanted = replace(
        BARE,
        nodes=4,
        ports=(Port(LOCAL, 8080, 30080, "tcp"), Port("0.0.0.0", None, 53, "udp")),
        mounts=(Mount(Path("/x"), "/data", False), Mount(Path("/y"), "/models", True)),
        kubernetes="1.36",
    )
    assert lacking(wanted, live(replace(BARE, nodes=2)), "1.37.2") == (
        "2 more workers",
        "port 127.0.0.1:8080 for 30080/tcp",
        "port 0.0.0.0 for 53/udp",
        "mount /x at /data on hello-control-plane, hello-worker",
        "mount /y at /models, read-only on hello-control-plane, hello-worker",
        "Kubernetes 1.36 (it runs 1.37.2)",
    )


@pytest.mark.parametrize(
    ("wanted", "runs", "lacks"),
    [
        (None, "1.37.2", False), ("1.37", "", False), ("1.37", "1.37.0", False),
        ("1.37", "v1.37.0", False), ("1.3", "1.37.0", True), ("1.37", "1.36.9", True),
    ],
)  # fmt: skip
def test_another_minor_version(wanted: str | None, runs: str, lacks: bool) -> None:
    assert bool(lacking(replace(BARE, kubernetes=wanted), live(), runs)) == lacks


PORT = Port(LOCAL, 8080, 30080, "tcp")


@pytest.mark.parametrize(
    ("wanted", "there", "enough"),
    [
        (PORT, replace(PORT, address="0.0.0.0"), True),
        (replace(PORT, host=None), PORT, True),
        (replace(PORT, host=None), replace(PORT, address="0.0.0.0"), True),
        (replace(PORT, address="0.0.0.0"), PORT, False),
        (replace(PORT, address="192.168.1.7"), PORT, False),
        (PORT, replace(PORT, host=8081), False),
        (PORT, replace(PORT, node=30081), False),
        (PORT, replace(PORT, protocol="udp"), False),
    ],
)
def test_when_a_port_is_as_good(wanted: Port, there: Port, enough: bool) -> None:
    found = lacking(replace(BARE, ports=(wanted,)), live(replace(BARE, ports=(there,))))
    assert found == (() if enough else (str(wanted),))


def test_a_port_that_is_exposed_but_not_published() -> None:
    nodes = live()
    nodes[0]["Ports"] = [{"PrivatePort": 30080, "Type": "tcp"}]
    assert lacking(replace(BARE, ports=(replace(PORT, host=None),)), nodes)


def test_ports_of_a_stopped_cluster_are_not_judged() -> None:
    nodes = live()
    nodes[0] |= {"State": "exited", "Ports": []}
    wanted = replace(BARE, ports=(PORT,), mounts=(Mount(Path("/x"), "/data", False),))
    assert lacking(wanted, nodes) == ("mount /x at /data on hello-control-plane",)


@pytest.mark.parametrize(
    ("source", "writable", "read_only", "enough"),
    [
        ("/x", True, False, True), ("/x", False, False, False), ("/x", True, True, True),
        ("/x", False, True, True), ("/host_mnt/x", True, False, True), ("/y", True, False, False),
        ("/x/y", True, False, False),
    ],
)  # fmt: skip
def test_when_a_mount_is_as_good(
    source: str, writable: bool, read_only: bool, enough: bool
) -> None:
    nodes = live()
    nodes[0]["Mounts"] = [
        {"Type": "volume", "Source": "/x", "Destination": "/data", "RW": True},
        {"Type": "bind", "Source": source, "Destination": "/data", "RW": writable},
    ]
    wanted = replace(BARE, mounts=(Mount(Path("/x"), "/data", read_only),))
    assert (lacking(wanted, nodes) == ()) == enough


def test_a_project_that_is_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    one, other = (
        replace(BARE, mounts=(Mount(tmp_path / name, "/data", False),)) for name in ("real", "link")
    )
    assert lacking(one, live(other)) == lacking(other, live(one)) == ()


def test_a_mount_on_some_nodes_only() -> None:
    wanted = replace(BARE, mounts=(Mount(Path("/x"), "/data", False),), nodes=2)
    nodes = live(replace(wanted, nodes=3))
    nodes[2]["Mounts"] = []
    assert lacking(wanted, nodes) == ("mount /x at /data on hello-worker2",)


def test_a_node_that_was_removed() -> None:
    wanted = replace(BARE, nodes=3)
    assert lacking(wanted, live(wanted)[:2]) == ("1 more worker",)
    assert lacking(wanted, live(wanted)[1:]) == ("1 more control plane",)
    assert lacking(wanted, []) == ("1 more control plane", "2 more workers")


def test_the_nodes_of_a_file_of_kind_are_compared_in_kinds_order(tmp_path: Path) -> None:
    wanted = of_file(
        tmp_path,
        "nodes:\n- role: worker\n  extraPortMappings: [{containerPort: 1, hostPort: 2}]\n"
        "- role: worker\n  extraMounts: [{hostPath: /x, containerPath: /data}]\n- {}\n",
    )
    nodes = live(wanted)
    assert lacking(wanted, nodes) == lacking(wanted, nodes[::-1]) == ()
    assert lacking(wanted, live(replace(BARE, nodes=3))) == (
        "port 127.0.0.1:2 for 1/tcp",
        "mount /x at /data on hello-worker2",
    )
    assert lacking(wanted, live(replace(BARE, nodes=2))) == (
        "1 more worker",
        "port 127.0.0.1:2 for 1/tcp",
    )


def test_the_eleventh_worker_comes_after_the_second() -> None:
    wanted = replace(BARE, nodes=12)
    names = [node["Names"][0] for node in live(wanted)]
    assert names[11] == "/hello-worker11"
    assert lacking(wanted, sorted(live(wanted), key=lambda node: str(node["Names"]))) == ()


PLACES = st.sampled_from(["/a", "/b", "/c", "/d/e"])
PORTS = st.builds(
    Port,
    st.sampled_from([LOCAL, "0.0.0.0", "192.168.1.7"]),
    st.none() | st.integers(8080, 8083),
    st.integers(30080, 30083),
    st.sampled_from(["tcp", "udp"]),
)
CONFIGS = st.builds(
    ClusterConfig,
    name=st.just("hello"),
    nodes=st.none() | st.integers(1, 4),
    ports=st.lists(PORTS, max_size=4, unique=True).map(tuple),
    mounts=st.lists(
        st.builds(Mount, PLACES.map(Path), PLACES, st.booleans()),
        max_size=3,
        unique_by=lambda mount: mount.node,
    ).map(tuple),
)


@given(CONFIGS)
@settings(deadline=None)
def test_what_is_made_satisfies(config: ClusterConfig) -> None:
    free = {port: 41000 + number for number, port in enumerate(ports_wanted(config))}
    assert lacking(config, containers(made(config, free_ports=free))) == ()


@given(CONFIGS, CONFIGS, st.data())
@settings(deadline=None)
def test_wanting_less_never_lacks_more(
    wanted: ClusterConfig, there: ClusterConfig, data: st.DataObject
) -> None:
    nodes = live(there)
    fewer = replace(
        wanted,
        nodes=data.draw(st.none() | st.integers(1, wanted.nodes or 1)),
        ports=tuple(port for port in wanted.ports if data.draw(st.booleans())),
        mounts=tuple(mount for mount in wanted.mounts if data.draw(st.booleans())),
    )
    lacks_of = {each for each in lacking(wanted, nodes) if "more worker" not in each}
    assert {each for each in lacking(fewer, nodes) if "more worker" not in each} <= lacks_of
    if not lacking(wanted, nodes):
        assert not lacking(fewer, nodes)


@given(CONFIGS, PORTS, st.builds(Mount, st.just(Path("/new")), st.just("/new"), st.booleans()))
@settings(deadline=None)
def test_having_more_never_lacks(wanted: ClusterConfig, port: Port, mount: Mount) -> None:
    more = replace(
        wanted,
        nodes=(wanted.nodes or 1) + 1,
        ports=(*wanted.ports, port),
        mounts=(*wanted.mounts, mount),
    )
    assert lacking(wanted, live(more)) == ()


def test_the_api_servers_port_may_be_the_users(tmp_path: Path) -> None:
    assert api_wanted(ClusterConfig(name="hello"), None) == Port(LOCAL, None, 6443, "tcp")
    assert api_wanted(ClusterConfig(name="hello"), 7) == Port(LOCAL, 7, 6443, "tcp")
    text = "networking: {apiServerAddress: 0.0.0.0, apiServerPort: 9443}\n"
    assert api_wanted(of_file(tmp_path, text), 7) == Port("0.0.0.0", 9443, 6443, "tcp")
    clash = f"{text}nodes: [{{extraPortMappings: [{{containerPort: 1, hostPort: 9443}}]}}]\n"
    with pytest.raises(UsageError, match=r"API server publish 127\.0\.0\.1:9443"):
        of_file(tmp_path, clash)
