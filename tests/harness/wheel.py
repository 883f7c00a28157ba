"""The wheel: built with this virtual environment, installed into an empty one."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from .outside import output
from .project import REPOSITORY

# The parts of the checkout that are Ansible content, besides the package itself.
CONTENT = (
    "ansible.cfg",
    "playbooks",
    "roles",
    "library",
    "action_plugins",
    "doc_fragments",
    "filter_plugins",
    "inventory_plugins",
    "inventory",
    "src",
)


def tracked() -> dict[str, Path]:
    """The content's files that git does not ignore, by their path in the checkout."""
    argv = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others"]
    listed = output([*argv, "--exclude-standard", "--", *CONTENT]).split("\0")
    return {name: REPOSITORY / name for name in listed if name and (REPOSITORY / name).exists()}


def build_wheel(where: Path) -> Path:
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    argv += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(where), str(REPOSITORY)]
    output(argv)
    (wheel,) = where.glob("localloop-*.whl")
    return wheel


def install_wheel(wheel: Path, where: Path) -> Path:
    """A new virtual environment with the wheel and its dependencies; returns its bin directory."""
    venv.create(where, with_pip=True)
    argv = [str(where / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return where / "bin"
