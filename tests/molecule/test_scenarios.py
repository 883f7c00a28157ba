"""Each role's molecule scenario: syntax, converge, idempotence, verify, on the bundled cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In the order of the loop: each finds what the ones before it have made.
ORDER = ["host", "cluster", "registry", "plan", "build", "release", "readiness", "report"]


def test_every_role_has_a_scenario() -> None:
    roles = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
    assert roles == set(ORDER)
    for role in ORDER:
        assert (ROOT / "tests" / "molecule" / role / "molecule.yml").is_file()


@pytest.mark.cluster
@pytest.mark.parametrize("role", ORDER)
def test_scenario(role: str) -> None:
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
        env={
            **os.environ,
            "MOLECULE_GLOB": "tests/molecule/*/molecule.yml",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:]
