"""Which builders can push to a registry on loopback, by what buildx 0.13.1 said of real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.build.builder_fit import Builder, parse, refuse_unfit
from localloop.errors import UsageError

RECORDED = Path(__file__).parent / "fixtures" / "buildx"


def recorded(name: str) -> Builder:
    return parse((RECORDED / f"{name}.txt").read_text())


def test_what_is_read() -> None:
    assert recorded("docker") == Builder("default", "docker", ("default",))
    assert recorded("container-host") == Builder(
        "host", "docker-container", ("unix:///var/run/docker.sock",), ('network="host"',)
    )
    assert recorded("kubernetes").options == ('namespace="build" replicas="2"',)
    assert str(recorded("remote")) == "builder far (driver remote, tcp://192.0.2.9:1234)"


@pytest.mark.parametrize("name", ["docker", "container-host", "remote-here"])
def test_fit(name: str) -> None:
    refuse_unfit(recorded(name), "127.0.0.1:5001")


@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        ("container", "not on the host's network", "network=host"),
        ("remote", "another machine (tcp://192.0.2.9:1234)", "docker buildx use default"),
        ("kubernetes", "it runs in pods", "docker buildx use default"),
    ],
)
def test_unfit(name: str, why: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_unfit(recorded(name), "127.0.0.1:5001")
    assert caught.value.reason == "builder_unfit"
    assert why in caught.value.message
    assert "127.0.0.1:5001" in caught.value.message
    assert hint in str(caught.value)


def test_a_second_node_without_the_host_s_network() -> None:
    two = Builder("b", "docker-container", ("unix:///a", "unix:///b"), ('network="host"',))
    with pytest.raises(UsageError):
        refuse_unfit(two, "127.0.0.1:5001")


@pytest.mark.parametrize("text", ["", "Driver: cloud\nName: x\n"])
def test_an_unknown_driver(text: str) -> None:
    with pytest.raises(UsageError, match="does not know the driver"):
        refuse_unfit(parse(text), "127.0.0.1:5001")
