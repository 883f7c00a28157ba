"""What a machine has: ``host.examine`` judges it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .host import INOTIFY_MINIMUM, Host, dotted, parse_version

TOOL_SECONDS = 10.0
INOTIFY = Path("/proc/sys/fs/inotify")
# Where Go is if not on PATH: its own installation, and what the role host unpacks.
GO_DIRECTORIES = ("/usr/local/go/bin", "/usr/local/lib/localloop-go/go/bin")
VERSION_OF = {
    "kind": ("--version",),
    "helm": ("version", "--short"),
    "kubectl": ("version", "--client"),
}


def observe(environ: Mapping[str, str] | None = None) -> Host:
    """Inspect this machine; each tool that is called has a timeout (``TOOL_SECONDS``)."""
    from platform import machine

    from .container_runtime import server_runtime

    environ = os.environ if environ is None else environ
    release = os_release(Path("/etc/os-release"))
    client = _output("docker", "--version")
    version, info = _docker_server(environ)
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), *GO_DIRECTORIES]))
    return Host(
        distribution=release.get("ID", ""),
        release=release.get("VERSION_ID", ""),
        root=os.geteuid() == 0,
        machine=machine(),
        runtime=server_runtime(version, info),
        docker_server=str(version.get("Version", "")),
        docker_client=client,
        dockerd=_version(_output("dockerd", "--version")),
        buildx=_output("docker", "buildx", "version") if client else "",
        podman=_version(_output("podman", "--version")),
        nerdctl=_version(_output("nerdctl", "--version")),
        **{name: _version(_output(name, *asked)) for name, asked in VERSION_OF.items()},
        hidden=dict(_hidden()),
        go=_version(_output(go, "version")) if go else "",
        go_path=go or "",
        mmdebstrap=shutil.which("mmdebstrap") is not None,
        sysctl=shutil.which("sysctl", path=_path()) is not None,
        inotify=dict(inotify_limits(INOTIFY)),
        inotify_writable=all(os.access(INOTIFY / name, os.W_OK) for name in INOTIFY_MINIMUM),
        systemd=Path("/run/systemd/system").is_dir(),
    )


def os_release(path: Path) -> dict[str, str]:
    """The fields of an os-release file; empty if it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {key: value.strip("\"'") for key, _, value in pairs}


def inotify_limits(directory: Path) -> Iterator[tuple[str, int]]:
    """The limits that kind needs, by name; without those that cannot be read."""
    for name in INOTIFY_MINIMUM:
        try:
            yield name, int((directory / name).read_text())
        except (OSError, ValueError):
            continue


def copies(name: str, path: str) -> list[str]:
    """Every program of that name on ``path``, in its order; links to the same file count once."""
    found: dict[Path, str] = {}
    for directory in path.split(os.pathsep):
        program = shutil.which(name, path=directory) if directory else None
        if program is not None:
            found.setdefault(Path(program).resolve(), program)
    return list(found.values())


def _hidden() -> Iterator[tuple[str, dict[str, str]]]:
    """The newest copy of a tool, if PATH finds an older one first."""
    for name, asked in VERSION_OF.items():
        first, *others = copies(name, _path()) or [""]
        if not others:
            continue
        versions = {each: parse_version(_output(each, *asked)) for each in (first, *others)}
        newest = max(others, key=lambda each: versions[each])
        if versions[newest] > versions[first]:
            version = dotted(versions[newest])
            yield name, {"path": newest, "version": version, "behind": first}


def _docker_server(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the daemon answers to /version and /info; both empty if it does not answer."""
    from ..errors import LocalloopError
    from .docker import Docker

    docker = Docker(environ=environ)
    try:
        return docker.version(), docker.info()
    except LocalloopError:
        return {}, {}
    finally:
        docker.close()


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _output(*argv: str) -> str:
    from ..errors import LocalloopError
    from . import tools

    path = shutil.which(argv[0], path=_path())
    if path is None:
        return ""
    # Go would fetch the version that a go.mod in this directory asks for.
    environ = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        done = tools.run([path, *argv[1:]], timeout=TOOL_SECONDS, env=environ)
    except (OSError, LocalloopError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(text: str) -> str:
    return dotted(parse_version(text))
