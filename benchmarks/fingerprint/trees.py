"""The trees that are measured: projects of one image whose Dockerfile copies everything."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

SETTLED = 3.0
"""Seconds until localloop and git trust what they saw of a file that was just written."""

_CONFIG = "version: 1\nproject: bench\nimages: {app: {dockerfile: Dockerfile}}\n"
_IGNORED = "target\n**/node_modules\n"


def project(root: Path) -> Path:
    """A project without sources yet."""
    root.mkdir(parents=True)
    (root / "localloop.yml").write_text(_CONFIG)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    (root / ".dockerignore").write_text(_IGNORED)
    (root / ".gitignore").write_text(".cache\ntarget\nnode_modules\n")
    return root


def fill(folder: Path, count: int) -> None:
    """``count`` files of 100 bytes to 4 KiB, 50 in each folder, three folders deep."""
    random = Random(count)
    for number, name in enumerate(_names(count)):
        path = folder / name
        if number % 50 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.randbytes(random.randint(100, 4096)))


def fill_ignored(root: Path, count: int) -> None:
    """Files that ``.dockerignore`` excludes: half at the top, half below the inputs."""
    fill(root / "target", count // 2)
    parents = sorted((root / "src").glob("*/*"))
    for parent in parents:
        fill(parent / "node_modules", (count - count // 2) // len(parents))


def fill_large(folder: Path, files: int, mebibytes: int) -> None:
    """``files`` files of that size each."""
    folder.mkdir(parents=True)
    for number in range(files):
        with (folder / f"{number}.bin").open("wb") as file:
            for _ in range(mebibytes):
                file.write(os.urandom(1 << 20))


def commit(root: Path) -> None:
    """Commit all files of the project, with everything that makes git fast."""
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    time.sleep(SETTLED)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(["git", *identity, "-c", "gc.auto=0", *words], cwd=root, check=True)


def _names(count: int) -> Iterator[str]:
    for number in range(count):
        folder = number // 50
        yield f"{folder // 400:02}/{folder // 20 % 20:02}/{folder % 20:02}/file{number % 50}.c"
