"""What the wheel holds: the package and all Ansible content of the checkout, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.wheel import build_wheel, tracked


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, zipfile.ZipInfo]:
    """The wheel's files by name, without what pip needs."""
    with zipfile.ZipFile(built) as archive:
        return {
            each.filename: each for each in archive.infolist() if ".dist-info/" not in each.filename
        }


def test_its_files(wheel: dict[str, zipfile.ZipInfo]) -> None:
    content = {f"localloop/content/{name}" for name in tracked()}
    package = {name.removeprefix("src/") for name in tracked() if name.startswith("src/")}
    assert set(wheel) == content | package
    for name in ("playbooks/baseline.yml", "roles/baseline/tasks/main.yml", "ansible.cfg"):
        assert f"localloop/content/{name}" in wheel


def test_what_is_executable_stays_so(wheel: dict[str, zipfile.ZipInfo]) -> None:
    executable = {name for name, path in tracked().items() if os.access(path, os.X_OK)}
    assert executable
    assert executable == {
        name for name in tracked() if wheel[f"localloop/content/{name}"].external_attr >> 16 & 0o100
    }


PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ {'steps': ['build'], 'reasons': []} | component_summary }}"
"""


def test_filters_work_from_the_wheel(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path)
    content = tmp_path / "localloop/content"
    (tmp_path / "play.yml").write_text(PLAY)
    environ = {
        **os.environ,
        "ANSIBLE_CONFIG": str(content / "ansible.cfg"),
        "ANSIBLE_INVENTORY_ENABLED": "host_list",
        "PYTHONPATH": str(tmp_path),  # before the checkout, which is installed as editable
    }

    def run(tool: str, *arguments: str) -> str:
        argv = [str(Path(sys.executable).with_name(tool)), *arguments]
        done = subprocess.run(
            argv,
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    names = sorted(path.stem for path in (content / "filter_plugins").glob("*.yml"))
    shown = json.loads(run("ansible-doc", "-t", "filter", "--json", *names))
    assert [Path(shown[name]["doc"]["filename"]).parent for name in names] == (
        [content / "filter_plugins"] * len(names)
    )
    assert names
    assert "msg: build" in run("ansible-playbook", "-i", "localhost,", "play.yml")
