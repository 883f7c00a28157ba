"""Each role's molecule scenario: syntax, converge, idempotence, verify, on one cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.outside import Cluster
from harness.project import Project

ROOT = Path(__file__).parents[2]
# In the order of the loop: each uses what the ones before it have left.
ORDER = [
    "host",
    "cluster",
    "registry",
    "plan",
    "build",
    "node_files",
    "release",
    "rollout",
    "readiness",
    "report",
    "baseline",
    "status",
    "rollback",
    "down",
    "prune",
]
CLUSTER = os.environ.get("E2E_CLUSTER", "pytest") + "-roles"


def test_every_role_has_a_scenario() -> None:
    roles = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
    assert roles == set(ORDER)
    for role in ORDER:
        assert (ROOT / "tests" / "molecule" / role / "molecule.yml").is_file()


@pytest.fixture(scope="module")
def project(node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project of all scenarios, on a cluster that is removed at the end."""
    cluster = Cluster(CLUSTER, tmp_path_factory.mktemp("state"))
    cluster.remove()
    project = Project(tmp_path_factory.mktemp("scenarios") / "project", "scenarios", cluster)
    project.add_node_file("one")
    yield project
    project.localloop("down", "--cluster", "--force", code=None)
    cluster.remove()


@pytest.fixture
def environ(project: Project) -> dict[str, str]:
    environ = {
        **project.cluster.env(),
        "LOCALLOOP_PROJECT": str(project.root),
        "MOLECULE_GLOB": "tests/molecule/*/molecule.yml",
    }
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    return environ


@pytest.mark.cluster
@pytest.mark.parametrize("role", ORDER)
def test_scenario(role: str, project: Project, environ: dict[str, str]) -> None:
    if role == "rollback":  # from a second state to the first
        project.set_page("Second")
        project.deploy()
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("molecule")),
            "--base-config",
            "tests/molecule/base.yml",
            "test",
            "--scenario-name",
            role,
        ],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:]
