"""What the wheel holds: the package and all Ansible content of the checkout, and nothing else."""

from __future__ import annotations

import os
import zipfile

import pytest

from harness.wheel import build_wheel, tracked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zipfile.ZipInfo]:
    """The wheel's files by name, without what pip needs."""
    path = build_wheel(tmp_path_factory.mktemp("wheel"))
    with zipfile.ZipFile(path) as archive:
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
