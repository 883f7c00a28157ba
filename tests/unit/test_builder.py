"""The kind of builder, from what ``docker buildx`` keeps; the row *builder kind* of what counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localloop.fingerprint.builder_kind import builder_kind


@pytest.fixture
def buildx(tmp_path: Path) -> Path:
    """As ``docker buildx create --name far --driver docker-container`` leaves it."""
    (tmp_path / "instances").mkdir()
    known = {"Name": "far", "Driver": "docker-container", "Nodes": [{"Name": "far0"}]}
    (tmp_path / "instances" / "far").write_text(json.dumps(known))
    return tmp_path


def use(buildx: Path, name: str) -> None:
    """As ``docker buildx use`` does."""
    current = {"Key": "unix:///var/run/docker.sock", "Name": name, "Global": False}
    (buildx / "current").write_text(json.dumps(current))


def kind(buildx: Path, name: str | None = None, **environ: str) -> str:
    return builder_kind(name, {"BUILDX_CONFIG": str(buildx), **environ})


def test_without_anything_it_is_dockers_own(tmp_path: Path) -> None:
    assert kind(tmp_path / "none") == "docker"
    assert builder_kind(None, {"HOME": str(tmp_path)}) == "docker"


def test_the_builder_in_use(buildx: Path) -> None:
    use(buildx, "far")
    assert kind(buildx) == "docker-container"
    use(buildx, "")
    assert kind(buildx) == "docker"


def test_a_name_wins_over_the_environment_and_that_over_the_one_in_use(buildx: Path) -> None:
    use(buildx, "far")
    assert kind(buildx, BUILDX_BUILDER="default") == "docker"
    assert kind(buildx, "default", BUILDX_BUILDER="far") == "docker"
    assert kind(buildx, "far", BUILDX_BUILDER="default") == "docker-container"


def test_names_of_one_kind_are_one_kind(buildx: Path) -> None:
    text = (buildx / "instances" / "far").read_text()
    (buildx / "instances" / "near").write_text(text.replace("far", "near"))
    assert kind(buildx, "far") == kind(buildx, "near")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_what_cannot_be_read_is_dockers_own(buildx: Path, text: str) -> None:
    (buildx / "instances" / "far").write_text(text)
    assert kind(buildx, "far") == "docker"
    assert kind(buildx, "../current") == "docker"
