"""BuildKit as the judge: many small builds in one ``docker buildx bake``."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AT_A_TIME = 40  # BuildKit loses track of many more


@dataclass(frozen=True)
class Build:
    """A build of ``dockerfile``, with ``ignore`` beside it; ``tag`` keeps the image."""

    context: Path
    ignore: str = ""
    dockerfile: str = "FROM scratch\nCOPY . /\n"
    tag: str = ""


def bake(place: Path, builds: Mapping[str, Build]) -> None:
    """Run the builds, some at a time; those without a tag leave ``NAME.tar`` in ``place``."""
    names = [*builds]
    for first in range(0, len(names), AT_A_TIME):
        _bake(place, {name: builds[name] for name in names[first : first + AT_A_TIME]})


def _bake(place: Path, builds: Mapping[str, Build]) -> None:
    targets: dict[str, dict[str, Any]] = {}
    for name, build in builds.items():
        folder = place / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text(build.dockerfile)
        (folder / "Dockerfile.dockerignore").write_bytes(
            build.ignore.encode("utf-8", "surrogateescape")
        )
        targets[name] = {
            "context": str(build.context),
            "dockerfile": str(folder / "Dockerfile"),
            "output": ["type=docker" if build.tag else f"type=tar,dest={folder}.tar"],
            "tags": [build.tag] if build.tag else [],
        }
    file = place / "bake.json"
    file.write_text(json.dumps({"group": {"default": {"targets": [*targets]}}, "target": targets}))
    argv = ["docker", "buildx", "bake", "--file", str(file), "--provenance=false"]
    done = subprocess.run(
        [*argv, "--progress=plain"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def copied(place: Path, name: str) -> set[str]:
    """The paths in what a build left."""
    with tarfile.open(place / f"{name}.tar") as archive:
        return {member.name.strip("/") for member in archive} - {""}


def layers(tags: list[str]) -> list[tuple[str, ...]]:
    """Per image the digests of its layers."""
    done = subprocess.run(
        ["docker", "image", "inspect", *tags], capture_output=True, text=True, check=True
    )
    return [tuple(image["RootFS"].get("Layers") or ()) for image in json.loads(done.stdout)]


def remove(tags: list[str]) -> None:
    subprocess.run(["docker", "rmi", "--force", *tags], capture_output=True, check=False)
