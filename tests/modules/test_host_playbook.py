"""playbooks/host.yml with --check on a machine that lacks something: it only says what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from calls import REPOSITORY, clean

MISSING = [{"name": "it", "problem": "it is missing", "fix": "Install it."}]
CASES = {
    "helm": ({"tools": ["helm"]}, "helm would be installed in"),
    "both tools": ({"tools": ["helm", "kubectl"]}, "helm and kubectl would be installed in"),
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
        timeout=60,
    )


@pytest.mark.parametrize("case", CASES)
def test_check_says_what_would_be_done(case: str, tmp_path: Path) -> None:
    lacks, words = CASES[case]
    found: dict[str, Any] = {
        "missing": MISSING,
        "can_install": True,
        "packages": [],
        "tools": [],
        "start_docker": False,
        **lacks,
    }
    binaries = tmp_path / "bin"
    binaries.mkdir()
    # An extra variable takes precedence over what the inspection of this machine registers.
    done = play({"host_result": found, "host_bin_dir": str(binaries)}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout
    assert "changed=1 " in done.stdout
    assert list(binaries.iterdir()) == []


def test_what_is_missing_is_named_with_its_fix(tmp_path: Path) -> None:
    seen = {
        "distribution": "debian", "release": "12", "root": True, "machine": "x86_64",
        "docker_server": "28.0.1", "docker_client": "28.0.1", "dockerd": "28.0.1",
        "buildx": "0.20.1", "helm": "", "kubectl": "1.2", "mmdebstrap": True, "systemd": True,
    }  # fmt: skip
    found = {"missing": MISSING, "can_install": True, "host": seen}
    done = play({"host_result": found, "host_install": False}, tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    begin = lines.index("This machine lacks:")
    assert lines[begin + 1 : begin + 4] == [
        "- helm is missing. Install helm 3.18.4 or newer.",
        "- kubectl 1.2 is too old. Install kubectl 1.20 or newer.",
        "Nothing was installed, as asked (host_install is false).",
    ]
