"""Where the Docker daemon listens, and what to report if it does not answer or is out of space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import LocalloopError, UsageError

DEFAULT_SOCKET = "/var/run/docker.sock"
DOCKER_HINT = "Install Docker with its buildx plugin, or run `make tools` on Debian."
START_HINT = (
    "Start Docker (`sudo systemctl start docker`; without a service manager `make tools`"
    " starts it), or set DOCKER_HOST=unix:///path/to/docker.sock."
)


def free_space_text(directory: str, free: int, size: int) -> str:
    """The free space in a directory as text; ``free`` and ``size`` are in bytes."""
    return f"{free / 2**20:.0f} of {size / 2**20:.0f} MiB are free in {directory}"


def socket_path(environ: Mapping[str, str]) -> str:
    """The path of the daemon's socket: DOCKER_HOST, else the current context, else the default.

    Raises ``UsageError`` (``docker_host_refused``) for anything but a local Unix socket.
    """
    host, source = environ.get("DOCKER_HOST", ""), "DOCKER_HOST"
    if not host:
        host, source = _context_host(environ)
    if not host:
        return DEFAULT_SOCKET
    scheme, _, path = host.partition("://")
    if scheme == "unix" and path.startswith("/"):
        return path
    raise UsageError(
        "docker_host_refused",
        f"Docker is at {host!r}; localloop talks to a local Unix socket only",
        where=source,
        hint="Use DOCKER_HOST=unix:///var/run/docker.sock, or `docker context use default`.",
    )


def client_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """The configuration of Docker's client; empty where there is none or it is damaged."""
    return _read_json(_config_dir(environ) / "config.json")


def _config_dir(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME") or str(Path.home())
    return Path(environ.get("DOCKER_CONFIG") or f"{home}/.docker")


def _context_host(environ: Mapping[str, str]) -> tuple[str, str]:
    """The endpoint of the docker client's current context, and where it is configured."""
    name = environ.get("DOCKER_CONTEXT", "")
    if not name:
        name = str(client_config(environ).get("currentContext", ""))
    if name in ("", "default"):
        return "", ""
    folder = hashlib.sha256(name.encode()).hexdigest()
    meta = _read_json(_config_dir(environ) / "contexts" / "meta" / folder / "meta.json")
    host = meta.get("Endpoints", {}).get("docker", {}).get("Host", "")
    return str(host), f"docker context {name!r}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def unreachable(path: str, error: BaseException) -> LocalloopError:
    """The error for a daemon that does not answer on the socket ``path``, because of ``error``."""
    hint = START_HINT
    if isinstance(error, PermissionError):
        hint = f"Allow this user to use {path} (group docker), or run as root."
    return LocalloopError(
        "docker_unreachable",
        f"Docker does not answer on {path}: {error or type(error).__name__}",
        hint=hint,
    )
