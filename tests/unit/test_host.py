"""What is missing on a machine, from what was found there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from localloop.system.host import (
    BY_HAND,
    GO_MINIMUM,
    KIND_MINIMUM,
    KUBECTL_MINIMUM,
    ON_DEBIAN,
    Host,
    examine,
    parse_version,
)
from localloop.system.host_observed import GO_DIRECTORIES, copies, inotify_limits

ROLE = Path(__file__).parents[2] / "roles/host"

COMPLETE = Host(
    distribution="debian",
    release="12",
    root=True,
    machine="x86_64",
    runtime="Docker",
    docker_server="26.1.5+dfsg1",
    docker_client="Docker version 28.2.2, build e6534b4",
    dockerd="26.1.5",
    buildx="github.com/docker/buildx 0.13.1",
    podman="",
    nerdctl="",
    kind="0.33.0",
    helm="4.1.4",
    kubectl="1.37.1",
    hidden={},
    go="",
    go_path="",
    mmdebstrap=True,
    sysctl=True,
    inotify={"max_user_instances": 512, "max_user_watches": 524288},
    inotify_writable=True,
    systemd=False,
)
LOW = {"max_user_instances": 128, "max_user_watches": 192536}
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
        pytest.param(
            {"kubectl": "1.35.2"},
            [],
            ["kubectl"],
            False,
            ["kubectl 1.35.2 is too old"],
            id="old-kubectl",
        ),
        pytest.param({"kubectl": "1.36.0"}, [], [], False, [], id="oldest-kubectl"),
        pytest.param(
            {"kind": "", "go": "1.21.0", "go_path": "/go/bin/go"},
            [],
            ["kind"],
            False,
            ["kind is missing"],
            id="no-kind",
        ),
        pytest.param(
            {"kind": "0.27.0"},
            [],
            ["kind"],
            False,
            ["kind 0.27.0 is too old", "Go is missing (it builds kind)"],
            id="old-kind-and-no-go",
        ),
        pytest.param(
            {"inotify": LOW},
            [],
            [],
            False,
            [
                "fs.inotify.max_user_instances is 128, too low for a cluster of several nodes",
                "fs.inotify.max_user_watches is 192536, too low for a cluster of several nodes",
            ],
            id="low-limits",
        ),
        pytest.param(
            {"inotify": LOW | {"max_user_watches": 600000}, "sysctl": False},
            ["procps"],
            [],
            False,
            ["fs.inotify.max_user_instances is 128, too low for a cluster of several nodes"],
            id="one-low-limit-and-no-sysctl",
        ),
        pytest.param({"inotify": {}}, [], [], False, [], id="limits-that-cannot-be-read"),
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
    assert (found.can_install, found.cannot_because) == (True, "")


@pytest.mark.parametrize(
    "seen", [{"distribution": "fedora"}, {"release": "11"}, {"root": False}, {"machine": "aarch64"}]
)
def test_tools_can_be_installed_only_on_debian_as_root(seen: dict[str, Any]) -> None:
    found = examine(replace(COMPLETE, **seen))
    assert (found.can_install, found.cannot_because) == (False, ON_DEBIAN)


@pytest.mark.parametrize(("release", "needed"), [("12", True), ("13", False)])
def test_only_debian_12_needs_the_newer_suite(release: str, needed: bool) -> None:
    bare = replace(COMPLETE, release=release, docker_server="", dockerd="", buildx="")
    assert examine(bare).docker_needs_suite is needed
    assert not examine(replace(COMPLETE, mmdebstrap=False)).docker_needs_suite


@pytest.mark.parametrize(
    ("seen", "package", "go", "lacks"),
    [
        ({"go": "1.26.4", "go_path": "/go/bin/go"}, False, "/go/bin/go", False),
        ({"go": "1.20.14", "go_path": "/go/bin/go"}, False, "", True),
        ({}, False, "", True),
        ({"release": "13"}, True, "/usr/bin/go", True),
        ({"release": "13", "go": "1.19.8", "go_path": "/go/bin/go"}, True, "/usr/bin/go", True),
        ({"release": "13", "go": "1.24.4", "go_path": "/usr/bin/go"}, False, "/usr/bin/go", False),
    ],
)
def test_where_the_go_comes_from_that_builds_kind(
    seen: dict[str, Any], package: bool, go: str, lacks: bool
) -> None:
    found = examine(replace(COMPLETE, kind="", **seen))
    assert ("golang-go" in found.packages, found.go) == (package, go)
    assert ("go" in [item["name"] for item in found.missing]) == lacks


def test_go_is_not_asked_for_where_kind_is_there_or_cannot_be_built() -> None:
    assert examine(COMPLETE).missing == []
    elsewhere = examine(replace(COMPLETE, kind="", distribution="fedora"))
    assert [item["name"] for item in elsewhere.missing] == ["kind"]


@pytest.mark.parametrize(
    "seen",
    [{"root": False}, {"inotify_writable": False}, {"distribution": "fedora"}],
    ids=["no-root", "read-only", "not-debian"],
)
def test_limits_that_cannot_be_raised_are_a_note(seen: dict[str, Any]) -> None:
    found = examine(replace(COMPLETE, inotify=LOW, **seen))
    assert (found.missing, found.sysctls) == ([], {})
    assert [note for note in found.notes if "inotify" in note] == [
        "fs.inotify.max_user_instances is 128, too low for a cluster of several nodes."
        " As root on the host, `sysctl -w fs.inotify.max_user_instances=512` raises it.",
        "fs.inotify.max_user_watches is 192536, too low for a cluster of several nodes."
        " As root on the host, `sysctl -w fs.inotify.max_user_watches=524288` raises it.",
    ]


def test_limits_are_raised_to_what_kind_asks_for() -> None:
    assert examine(replace(COMPLETE, inotify=LOW)).sysctls == {
        "fs.inotify.max_user_instances": 512,
        "fs.inotify.max_user_watches": 524288,
    }


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        pytest.param(
            {"docker_client": "podman version 5.4.2"},
            "the command docker is Podman 5.4.2",
            id="podman-as-docker",
        ),
        pytest.param(
            {"docker_client": "podman version 4.3.1", "docker_server": "", "runtime": ""},
            "the command docker is Podman 4.3.1",
            id="podman-as-docker-and-nothing-runs",
        ),
        pytest.param(
            {"docker_client": "nerdctl version 2.1.6"},
            "the command docker is nerdctl 2.1.6",
            id="nerdctl-as-docker",
        ),
        pytest.param(
            {"runtime": "Podman", "docker_server": "5.4.2"},
            "Podman 5.4.2 answers on Docker's socket",
            id="podman-on-the-socket",
        ),
        pytest.param(
            {
                "kubectl": "1.32.4",
                "hidden": {
                    "kubectl": {"path": "/b/kubectl", "version": "1.37.1", "behind": "/a/kubectl"}
                },
            },
            "kubectl 1.32.4 (/a/kubectl) is too old, and PATH finds it before 1.37.1 (/b/kubectl)",
            id="hidden-kubectl",
        ),
    ],
)
def test_what_no_installation_provides_is_refused(seen: dict[str, Any], problem: str) -> None:
    found = examine(replace(COMPLETE, **seen))
    assert [item["problem"] for item in found.missing] == [problem]
    assert (found.can_install, found.cannot_because) == (False, BY_HAND)
    assert (found.packages, found.tools, found.start_docker) == ([], [], False)


def test_a_hidden_copy_that_is_too_old_itself_does_not_count() -> None:
    hidden = {"kind": {"path": "/b/kind", "version": "0.31.0", "behind": "/a/kind"}}
    found = examine(replace(COMPLETE, kind="0.27.0", go="1.26.4", hidden=hidden))
    assert found.tools == ["kind"]
    assert found.can_install


def test_podman_beside_docker_is_no_obstacle() -> None:
    found = examine(replace(COMPLETE, podman="5.4.2", nerdctl="2.1.6"))
    assert found.missing == []
    assert found.notes == [
        "The container runtime is Docker 26.1.5+dfsg1.",
        "Podman 5.4.2 is not used: localloop works with Docker only.",
        "nerdctl 2.1.6 is not used: localloop works with Docker only.",
    ]


def test_podman_alone_is_named_and_docker_installed() -> None:
    bare = {"runtime": "", "docker_server": "", "docker_client": "", "dockerd": "", "buildx": ""}
    found = examine(replace(COMPLETE, podman="4.3.1", **bare))
    assert found.missing[0]["problem"] == "Docker is missing"
    assert found.notes == ["Podman 4.3.1 is not used: localloop works with Docker only."]
    assert found.can_install


def test_rootless_docker_is_accepted_with_a_note() -> None:
    found = examine(replace(COMPLETE, runtime="rootless Docker"))
    assert found.missing == []
    assert found.notes == [
        "The container runtime is rootless Docker 26.1.5+dfsg1.",
        "Rootless Docker runs the kindest/node images only, not the one that is built here.",
    ]


def test_the_copies_of_a_tool_on_path(tmp_path: Path) -> None:
    for name in ("first", "second", "third", "empty"):
        (tmp_path / name).mkdir()
    for name in ("first", "second"):
        program = tmp_path / name / "kubectl"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "third" / "kubectl").symlink_to(tmp_path / "first" / "kubectl")
    (tmp_path / "empty" / "kubectl").write_text("not a program")
    path = ":".join(str(tmp_path / name) for name in ("empty", "first", "third", "second", "none"))
    assert copies("kubectl", f":{path}:") == [
        str(tmp_path / "first" / "kubectl"),
        str(tmp_path / "second" / "kubectl"),
    ]
    assert copies("kind", path) == []


def test_the_limits_are_read_from_proc(tmp_path: Path) -> None:
    (tmp_path / "max_user_instances").write_text("128\n")
    assert dict(inotify_limits(tmp_path)) == {"max_user_instances": 128}
    (tmp_path / "max_user_watches").write_text("192536\n")
    assert dict(inotify_limits(tmp_path)) == LOW
    assert dict(inotify_limits(tmp_path / "none")) == {}


def test_what_the_role_installs_is_new_enough() -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert parse_version(defaults["host_kind_version"]) >= KIND_MINIMUM
    assert parse_version(defaults["host_kubectl_version"]) >= KUBECTL_MINIMUM
    assert parse_version(defaults["host_go_version"]) >= GO_MINIMUM
    assert any(Path(each).is_relative_to(defaults["host_go_dir"]) for each in GO_DIRECTORIES)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("kind version 0.33.0", (0, 33, 0)),
        ("go version go1.27.3 linux/amd64", (1, 27, 3)),
        ("go version go1.21 linux/amd64", (1, 21)),
        ("podman version 4.3.1", (4, 3, 1)),
        ("v4.1.4+g05fa379", (4, 1, 4)),
        ("Docker version 26.1.5+dfsg1, build 411e817", (26, 1, 5)),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", (1, 32, 4)),
        ("", ()),
    ],
)
def test_parse_version(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version
