"""``localloop.yml`` and the environment → ``Project``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError
from .loader import load
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
    """The project that ``root`` belongs to, read and checked.

    ``profile`` is the value of ``--profile``. Raises UsageError: ``config_missing``,
    ``config_unreadable``, ``config_invalid`` (with file, line and column), ``profile_unknown``.
    """
    path = find_config(root)
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise UsageError(
            "config_unreadable", f"cannot be read: {exc.strerror}", where=str(path)
        ) from exc
    document = load(data, path.name)
    validate(document, path.name)
    return read_project(Reader(document, path), data, profile, environ)
