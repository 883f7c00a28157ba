"""Where an API server is: on this machine, or anywhere else."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localloop.kube import server
from localloop.kube.server import is_local, same_server, virtual_networks

DOCKER = ipaddress.IPv4Interface("172.17.0.1/16")
DOCKER6 = ipaddress.IPv6Interface("fc00:f853:ccd:e793::1/64")


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has Docker's bridge and reaches everything else through its card."""

    def source(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> object:
        known = next((each for each in (DOCKER, DOCKER6) if address in each.network), None)
        return known.ip if known else ipaddress.ip_address("192.168.1.5")

    monkeypatch.setattr(server, "virtual_networks", lambda: [DOCKER, DOCKER6])
    monkeypatch.setattr(server, "_source", source)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://127.8.9.10:6443", True),
        ("https://[::1]:6443", True),
        ("https://0.0.0.0:40001", True),
        ("https://[::]:40001", True),
        ("https://[::ffff:127.0.0.1]:6443", True),
        ("https://localhost:6443", True),
        ("https://LOCALHOST.:6443", True),
        ("https://172.17.0.2:6443", True),
        ("https://[::ffff:172.17.0.2]:6443", True),
        ("https://[fc00:f853:ccd:e793::2]:6443", True),
        ("https://10.1.2.3", False),
        ("https://172.18.0.2:6443", False),
        ("https://192.168.49.2:8443", False),
        ("https://192.168.1.5:6443", False),
        ("https://[fd00::1]", False),
        ("https://[fe80::1]", False),
        ("https://[fe80::1%25eth0]", False),
        ("https://[::ffff:8.8.8.8]", False),
        ("https://169.254.169.254", False),
        ("https://8.8.8.8", False),
        ("https://kind-local.example.org", False),
        ("https://127.0.0.1.example.org", False),
        ("https://127.0.0.1@example.org", False),
        ("https://127.0.0.1:443@example.org", False),
        ("https://localhost.example.org", False),
        ("https://notlocalhost", False),
        ("https://127.1", False),
        ("https://0x7f.0.0.1", False),
        ("https://2130706433", False),
        ("https://[", False),
        ("https://", False),
        ("", False),
    ],
)
@pytest.mark.usefixtures("docker")
def test_where_a_server_is(url: str, here: bool) -> None:
    assert is_local(url) is here


@pytest.mark.parametrize("found", [[], ["10.0.0.7"], ["127.0.0.1", "10.0.0.7"]])
@pytest.mark.parametrize("name", ["localhost", "x.localhost", "kubernetes.docker.internal"])
def test_a_local_name_is_what_it_resolves_to(
    monkeypatch: pytest.MonkeyPatch, name: str, found: list[str]
) -> None:
    def resolve(host: str, _port: object) -> list[object]:
        assert host == name
        if not found:
            raise socket.gaierror
        return [(socket.AF_INET, 0, 0, "", (address, 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert not is_local(f"https://{name}:6443")
    found = ["127.0.0.1", "::1"]
    assert is_local(f"https://{name}:6443")


def test_no_other_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it was looked up"))
    assert not is_local("https://prod.example.com:6443")


@pytest.mark.usefixtures("docker")
def test_a_route_elsewhere_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A VPN that takes over the bridge's range is not the bridge."""
    monkeypatch.setattr(server, "_source", lambda _: ipaddress.ip_address("10.8.0.2"))
    assert not is_local("https://172.17.0.2:6443")


@pytest.mark.usefixtures("docker")
@given(st.ip_addresses(v=4))
def test_of_all_addresses_only_those_are_here(address: ipaddress.IPv4Address) -> None:
    here = address.is_loopback or address in DOCKER.network or not int(address)
    assert is_local(f"https://{address}:6443") is here


DEVICES = {
    "docker0": "",
    "veth1": "INTERFACE=veth1\n",
    "tap0": "INTERFACE=tap0\n",
    "eth0": "INTERFACE=eth0\n",
    "vlan5": "DEVTYPE=vlan\n",
    "vxlan0": "DEVTYPE=vxlan\n",
    "wg0": "DEVTYPE=wireguard\n",
}


@pytest.mark.parametrize(
    ("ports", "nowhere"),
    [
        ([], True),
        (["veth1"], True),
        (["veth1", "tap0", "gone"], True),
        (["veth1", "eth0"], False),
        (["vlan5"], False),
        (["vxlan0"], False),
        (["wg0"], False),
    ],
)
def test_which_bridges_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ports: list[str], nowhere: bool
) -> None:
    for name, uevent in DEVICES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "uevent").write_text(uevent)
    (tmp_path / "eth0" / "device").mkdir()
    (tmp_path / "docker0" / "bridge").mkdir()
    (tmp_path / "docker0" / "brif").mkdir()
    for name in ports:
        (tmp_path / "docker0" / "brif" / name).mkdir()
    monkeypatch.setattr(server, "_NET", tmp_path)
    monkeypatch.setattr(server, "_ipv4", lambda _name: DOCKER)
    assert (DOCKER in virtual_networks()) is nowhere


def test_this_machine_is_read_as_it_is() -> None:
    """Whatever it has: each address is of a bridge, and none is that of a card."""
    cards = {path.name for path in Path("/sys/class/net").glob("*") if (path / "device").exists()}
    names = {path.parent.name for path in Path("/sys/class/net").glob("*/bridge")}
    assert not cards & names
    assert len(list(virtual_networks())) >= 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://h:6443", "https://h:6443/", True),
        ("https://h", "https://H.:443", True),
        ("http://h", "http://h:80", True),
        ("https://[::1]:6443", "https://[0:0::1]:6443", True),
        ("https://h:6443/k8s/clusters/a", "https://h:6443/k8s/clusters/a/", True),
        ("https://h:6443/k8s/clusters/a", "https://h:6443/k8s/clusters/b", False),
        ("https://h:6443", "http://h:6443", False),
        ("https://h:6443", "https://h:6444", False),
        ("https://h:6443", "https://h.example.org:6443", False),
        ("https://h:6443", "https://h:99999", False),
    ],
)
def test_the_same_server(one: str, other: str, same: bool) -> None:
    assert same_server(one, other) is same
