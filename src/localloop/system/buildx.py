"""Docker's buildx plugin: whether it is there, and new enough."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import LocalloopError, UsageError
from . import tools
from .docker_host import DOCKER_HINT
from .host import BUILDX_MINIMUM, dotted, parse_version
from .tool_version import known_version

_SECONDS = 30.0
_HINT = f"Install buildx {dotted(BUILDX_MINIMUM)} or newer: `make tools` does on Debian."
_NO_PLUGIN = re.compile(r"is not a docker command|unknown (?:docker )?command")
# Where Docker's client looks for plugins, after its configuration's own folder.
_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


def require_buildx(cache: Path) -> None:
    """Raise ``UsageError`` (``tool_missing``, ``tool_too_old:buildx``) without a usable buildx.

    ``cache`` is the file that keeps the version: buildx is asked once for each binary.
    """
    try:
        docker = tools.find("docker", hint=DOCKER_HINT)
    except LocalloopError as error:
        raise UsageError("tool_missing", error.message, hint=error.hint) from error
    _refuse_old(known_version(cache, _identity(docker), lambda: _version(docker)))


def refuse_old_buildx(docker: str) -> None:
    """Like ``require_buildx``; for after a build that reported nothing.

    A buildx without structured progress writes plain text, whatever it is asked for; a client
    without buildx prints its help. Anything else is the build's own failure.
    """
    done = _ask(docker)
    if done.returncode == 0:
        _refuse_old(parse_version(done.stdout))
    elif _NO_PLUGIN.search(done.stderr):
        raise _missing(done)


def _version(docker: str) -> tuple[int, ...]:
    done = _ask(docker)
    if done.returncode:
        raise _missing(done)
    return parse_version(done.stdout)


def _ask(docker: str) -> tools.Completed:
    return tools.run([docker, "buildx", "version"], timeout=_SECONDS)


def _missing(done: tools.Completed) -> UsageError:
    said = done.stderr.strip().partition("\n")[0][:200]
    return UsageError("tool_missing", f"docker has no usable plugin buildx: {said}", hint=_HINT)


def _refuse_old(version: tuple[int, ...]) -> None:
    if version and version < BUILDX_MINIMUM:
        raise UsageError("tool_too_old:buildx", f"docker buildx is {dotted(version)}", hint=_HINT)


def _identity(docker: str) -> str:
    """A text that differs for another client or plugin; empty where the plugin is not found."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker", "cli-plugins")
    for folder in (own, *map(Path, _FOLDERS)):
        try:
            plugin = (folder / "docker-buildx").stat()
            client = Path(docker).stat()
        except OSError:
            continue
        parts = (docker, client.st_size, client.st_mtime_ns, folder, plugin.st_size)
        return ":".join(map(str, (*parts, plugin.st_mtime_ns, plugin.st_mode)))
    return ""
