"""playbooks/host.yml with --check where something is missing: it is named, and nothing is done."""

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
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "--check",
            "--inventory=localhost,",
            # An extra variable is stronger than what the look at this machine registers.
            f"--extra-vars={json.dumps({'host_result': found, 'host_bin_dir': str(binaries)})}",
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
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout
    assert "changed=1 " in done.stdout
    assert list(binaries.iterdir()) == []
