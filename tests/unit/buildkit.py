"""BuildKit as the judge: many small builds in one ``docker buildx bake``."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

AT_A_TIME = 40  # BuildKit loses track of many more


@dataclass(frozen=True)
class Build:
    """A build of ``dockerfile``, with ``ignore`` beside it; ``tag`` keeps the image."""

    context: Path
    ignore: str = ""
    dockerfile: str = "FROM scratch\nCOPY . /\n"
    tag: str = ""


class Entry(NamedTuple):
    """A file, folder or link in a layer."""

    path: str
    type: bytes
    mode: int
    target: str
    content: bytes


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


def layers(place: Path, tags: list[str]) -> list[frozenset[Entry]]:
    """Per image what its layers hold.

    A layer's digest is of that and of times; a folder's time is sometimes that of the build, where
    several contexts reach BuildKit at once.
    """
    file = place / "images.tar"
    subprocess.run(["docker", "save", "--output", str(file), *tags], check=True)
    with tarfile.open(file) as archive:
        index = json.loads(_file(archive, "manifest.json").read())
        images = {tag: image["Layers"] for image in index for tag in image["RepoTags"]}
        return [
            frozenset(entry for layer in images[tag] for entry in _entries(archive, layer))
            for tag in tags
        ]


def _file(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    assert found is not None, name
    return found


def _entries(archive: tarfile.TarFile, layer: str) -> Iterator[Entry]:
    with tarfile.open(fileobj=_file(archive, layer)) as files:
        for file in files:
            content = files.extractfile(file) if file.isfile() else None
            yield Entry(
                file.name,
                file.type,
                file.mode,
                file.linkname,
                content.read() if content else b"",
            )


def remove(tags: list[str]) -> None:
    subprocess.run(["docker", "rmi", "--force", *tags], capture_output=True, check=False)
