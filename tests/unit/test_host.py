"""What is missing on a machine, from what was found there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localloop.system.host import Host, examine, parse_version

COMPLETE = Host(
    distribution="debian",
    release="12",
    root=True,
    machine="x86_64",
    docker_server="26.1.5+dfsg1",
    docker_client="Docker version 28.2.2, build e6534b4",
    dockerd="26.1.5",
    buildx="github.com/docker/buildx 0.13.1",
    helm="4.1.4",
    kubectl="1.35.2",
    mmdebstrap=True,
    systemd=False,
)
DAEMON = ["docker.io", "docker-cli", "containerd", "runc", "iptables"]


@pytest.mark.parametrize(
    ("seen", "packages", "tools", "start", "problems"),
    [
        pytest.param({}, [], [], False, [], id="complete"),
        pytest.param(
            {"docker_server": ""}, [], [], True, ["Docker is not running"], id="docker-stopped"
        ),
        pytest.param(
            {"docker_server": "", "dockerd": ""},
            DAEMON,
            [],
            True,
            ["Docker is missing"],
            id="no-daemon-but-a-client",
        ),
        pytest.param(
            {"docker_server": "20.10.24", "dockerd": "20.10.24"},
            DAEMON,
            [],
            False,
            ["Docker 20.10.24 is too old"],
            id="docker-too-old",
        ),
        pytest.param(
            {"dockerd": ""}, [], [], False, [], id="a-daemon-that-is-not-this-machine-s-own"
        ),
        pytest.param(
            {"buildx": ""},
            ["docker-buildx"],
            [],
            False,
            ["docker buildx is missing"],
            id="no-buildx",
        ),
        pytest.param(
            {"buildx": "github.com/docker/buildx v0.11.2 9872040"},
            ["docker-buildx"],
            [],
            False,
            ["docker buildx 0.11.2 is too old"],
            id="old-buildx",
        ),
        pytest.param(
            {"buildx": "github.com/docker/buildx v0.12.0 542e5d8"}, [], [], False, [], id="oldest"
        ),
        pytest.param({"helm": ""}, [], ["helm"], False, ["helm is missing"], id="no-helm"),
        pytest.param(
            {"helm": "3.18.3"}, [], ["helm"], False, ["helm 3.18.3 is too old"], id="old-helm"
        ),
        pytest.param({"helm": "3.18.4"}, [], [], False, [], id="oldest-helm"),
        pytest.param({"kubectl": ""}, [], ["kubectl"], False, ["kubectl is missing"], id="kubectl"),
    ],
)
def test_examine(
    seen: dict[str, Any], packages: list[str], tools: list[str], start: bool, problems: list[str]
) -> None:
    found = examine(replace(COMPLETE, **seen))
    assert found.packages == packages
    assert found.tools == tools
    assert found.start_docker == start
    assert [item["problem"] for item in found.missing] == problems
    assert all(item["fix"] for item in found.missing)
    assert found.can_install


@pytest.mark.parametrize(
    "seen", [{"distribution": "fedora"}, {"release": "11"}, {"root": False}, {"machine": "aarch64"}]
)
def test_tools_can_be_installed_only_on_debian_as_root(seen: dict[str, Any]) -> None:
    assert not examine(replace(COMPLETE, **seen)).can_install


@pytest.mark.parametrize(("release", "needed"), [("12", True), ("13", False)])
def test_only_debian_12_needs_the_newer_suite(release: str, needed: bool) -> None:
    bare = replace(COMPLETE, release=release, docker_server="", dockerd="", buildx="")
    assert examine(bare).docker_needs_suite is needed
    assert not examine(replace(COMPLETE, mmdebstrap=False)).docker_needs_suite


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v4.1.4+g05fa379", (4, 1, 4)),
        ("Docker version 26.1.5+dfsg1, build 411e817", (26, 1, 5)),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", (1, 32, 4)),
        ("", ()),
    ],
)
def test_parse_version(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version
