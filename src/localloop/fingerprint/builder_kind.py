"""Which kind of builder a build uses: the output depends on the kind, not on the name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

DOCKER = "docker"
"""BuildKit inside the Docker daemon, the kind of the builder ``default``."""


def builder_kind(name: str | None, environ: Mapping[str, str]) -> str:
    """The buildx driver of ``name``, else of ``BUILDX_BUILDER``, else of the builder in use.

    Reads two small files and starts no process. A builder that buildx keeps no file for is one of
    Docker's own.
    """
    home = environ.get("HOME") or str(Path.home())
    docker = environ.get("DOCKER_CONFIG") or f"{home}/.docker"
    buildx = Path(environ.get("BUILDX_CONFIG") or f"{docker}/buildx")
    chosen = name or environ.get("BUILDX_BUILDER") or _field(buildx / "current", "Name")
    if not chosen or "/" in chosen:
        return DOCKER
    return _field(buildx / "instances" / chosen, "Driver") or DOCKER


def _field(path: Path, key: str) -> str:
    try:
        return str(json.loads(path.read_bytes())[key])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
