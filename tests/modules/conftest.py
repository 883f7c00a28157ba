"""Module tests: every call is a task of a real playbook."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from calls import REPOSITORY


@pytest.fixture(scope="package")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the smallest project, for calls that never reach a cluster."""
    root = tmp_path_factory.mktemp("hello") / "project"
    shutil.copytree(REPOSITORY / "examples/hello", root, ignore=shutil.ignore_patterns(".cache"))
    return root
