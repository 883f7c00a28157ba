"""playbooks/host.yml with --check on a machine that lacks something: it only says what."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from calls import REPOSITORY, clean

from localloop.system.host import BY_HAND, Host, examine

COMPLETE = Host(
    distribution="debian", release="12", root=True, machine="x86_64", runtime="Docker",
    docker_server="28.0.1", docker_client="Docker version 28.0.1", dockerd="28.0.1",
    buildx="0.20.1", podman="", nerdctl="", kind="0.33.0", helm="4.1.4", kubectl="1.37.1",
    hidden={}, go="", go_path="", mmdebstrap=True, sysctl=True, inotify={}, inotify_writable=True,
    systemd=True,
)  # fmt: skip

MISSING = [{"name": "it", "problem": "it is missing", "fix": "Install it."}]
CASES = {
    "helm": ({"tools": ["helm"]}, "helm would be installed in"),
    "two tools": ({"tools": ["kind", "kubectl"]}, "kind and kubectl would be installed in"),
    "limits": (
        {"sysctls": {"fs.inotify.max_user_instances": 512, "fs.inotify.max_user_watches": 524288}},
        "fs.inotify.max_user_instances and fs.inotify.max_user_watches would be raised",
    ),
    "Docker, by hand": (
        {"start_docker": True, "host": {"systemd": False}},
        "Docker would be started",
    ),
    "Docker, by systemd": (
        {"start_docker": True, "host": {"systemd": True}},
        "Docker would be started",
    ),
}


def play(variables: dict[str, Any], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The playbook in check mode, with these extra variables."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "--check",
            "--inventory=localhost,",
            f"--extra-vars={json.dumps(variables)}",
            "playbooks/host.yml",
        ],
        cwd=REPOSITORY,
        env={
            **clean({}),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "ANSIBLE_INVENTORY_ENABLED": "host_list",
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.mark.parametrize("case", CASES)
def test_check_says_what_would_be_done(case: str, tmp_path: Path) -> None:
    lacks, words = CASES[case]
    found: dict[str, Any] = {
        "missing": MISSING,
        "notes": ["The container runtime is Docker 26.1.5."],
        "can_install": True,
        "packages": [],
        "tools": [],
        "sysctls": {},
        "start_docker": False,
        **lacks,
    }
    binaries = tmp_path / "bin"
    binaries.mkdir()
    # An extra variable takes precedence over what the inspection of this machine registers.
    done = play({"host_result": found, "host_bin_dir": str(binaries)}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout
    assert "- The container runtime is Docker 26.1.5." in done.stdout
    assert "changed=1 " in done.stdout
    assert list(binaries.iterdir()) == []


def test_what_is_missing_is_named_with_its_fix(tmp_path: Path) -> None:
    done, lines = fail({"helm": "", "kubectl": "1.2"}, tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert lines == [
        "This machine lacks:",
        "- helm is missing. Install helm 3.18.4 or newer.",
        "- kubectl 1.2 is too old. Install kubectl 1.36 or newer.",
        "Nothing was installed, as asked (host_install is false).",
    ]


def test_what_cannot_be_installed_is_named(tmp_path: Path) -> None:
    done, lines = fail({"docker_client": "podman version 5.4.2", "kind": ""}, tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert lines == [
        "This machine lacks:",
        "- the command docker is Podman 5.4.2. localloop needs Docker itself: remove the package,"
        " alias or link that puts Podman behind that name (on Debian the package podman-docker).",
        "- kind is missing. Install kind 0.33 or newer.",
        BY_HAND,
    ]


def fail(
    seen: dict[str, Any], tmp_path: Path
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The playbook on a made-up host, without an installation, and the lines of its message."""
    host = replace(COMPLETE, go="1.26.4", **seen)
    found = {"host": asdict(host), **asdict(examine(host))}
    done = play({"host_result": found, "host_install": False}, tmp_path)
    lines = [line.strip() for line in done.stdout.splitlines()]
    begin = lines.index("This machine lacks:")
    return done, lines[begin : begin + 2 + len(found["missing"])]
