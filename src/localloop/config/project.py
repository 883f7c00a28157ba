"""``localloop.yml`` and the environment → ``Project``."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from .loader import Node, load
from .model import Project
from .reader import Reader
from .sections import read_project
from .validate import validate

CONFIG_NAME = "localloop.yml"


def find_config(start: Path) -> Path:
    """``localloop.yml`` of ``start`` or the nearest directory above it, as an absolute path.

    Raises UsageError (``config_missing``) where there is none.
    """
    start = Path(os.path.abspath(start))  # noqa: PTH100 (keeps symlinks, unlike resolve)
    for directory in (start, *start.parents):
        candidate = directory / CONFIG_NAME
        if candidate.is_file():
            return candidate
    raise UsageError(
        "config_missing",
        f"no {CONFIG_NAME} in {start} or any directory above it",
        hint="Write one (docs/configuration.md), or name another directory with --project DIR.",
    )


def load_project(
    root: Path, *, profile: str | None = None, environ: Mapping[str, str] = os.environ
) -> Project:
    """The project that ``root`` belongs to, checked.

    ``profile`` is the value of ``--profile``. The file is read once a process (and its forks), and
    again only when it has changed. Raises UsageError: ``config_missing``, ``config_unreadable``,
    ``config_invalid`` (with file, line and column), ``profile_unknown``.
    """
    path = find_config(root)
    document = _document(path)
    return read_project(Reader(document.node, path), document.sha256, profile, environ)


def position_of(project: Project, *path: str | int) -> str:
    """``localloop.yml:LINE:COLUMN`` of a key, or of an item of a list, in the project's file."""
    node, at = _document(project.config_path).node, (1, 1)
    for step in path:
        inner = node.get(step)
        if inner is None:
            break
        at = node.keys[str(step)] if isinstance(node.value, dict) else (inner.line, inner.column)
        node = inner
    return f"{project.config_path.name}:{at[0]}:{at[1]}"


@dataclass(frozen=True)
class _Document:
    """A file's validated content; ``stamp`` is None if the file may change without showing it."""

    node: Node
    sha256: str
    stamp: tuple[int, ...] | None


_DOCUMENTS: dict[Path, _Document] = {}
# Clocks and file systems are coarse: within this time a second change may leave the same stamp.
GRAIN_NS = 2_000_000_000


def _document(path: Path) -> _Document:
    now = time.time_ns()
    try:
        found = path.stat()
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = _DOCUMENTS.get(path)
        if known is not None and known.stamp == stamp:
            return known
        data = path.read_bytes()
    except OSError as exc:
        raise UsageError(
            "config_unreadable", f"cannot be read: {exc.strerror}", where=str(path)
        ) from exc
    node = load(data, path.name)
    validate(node, path.name)
    settled = max(found.st_mtime_ns, found.st_ctime_ns) + GRAIN_NS < now
    document = _Document(node, hashlib.sha256(data).hexdigest(), stamp if settled else None)
    _DOCUMENTS[path] = document
    return document
