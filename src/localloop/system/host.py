"""Which tools that localloop needs are missing on this machine, and how to install them.

``examine`` is pure; ``observe`` inspects the machine.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOCKER_MINIMUM = (23, 0)  # BuildKit with named contexts
BUILDX_MINIMUM = (0, 12)  # the first with --progress=rawjson
HELM_MINIMUM = (3, 18, 4)
KUBECTL_MINIMUM = (1, 20)
TOOL_SECONDS = 10.0
DEBIAN_RELEASES = ("12", "13")
DOCKER_FROM_TRIXIE = ("docker.io", "docker-cli", "docker-buildx")


@dataclass(frozen=True, kw_only=True)
class Host:
    """What was found on the machine; an empty string for a missing tool."""

    distribution: str
    release: str
    root: bool
    machine: str
    docker_server: str
    docker_client: str
    dockerd: str
    buildx: str
    helm: str
    kubectl: str
    mmdebstrap: bool
    systemd: bool


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What to install: Debian packages and tools, and each missing item with its fix."""

    packages: list[str] = field(default_factory=list)
    docker_needs_suite: bool = False
    start_docker: bool = False
    tools: list[str] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)
    can_install: bool = False


def parse_version(text: str) -> tuple[int, ...]:
    """The first dotted number in a tool's output: ``v3.18.4+gd80839c`` → (3, 18, 4)."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def examine(host: Host) -> Findings:
    """What is missing on the host, or too old."""
    debian = host.distribution == "debian" and host.release in DEBIAN_RELEASES
    packages: list[str] = []
    tools: list[str] = []
    missing: list[dict[str, str]] = []

    def lacks(name: str, problem: str, fix: str) -> None:
        missing.append({"name": name, "problem": problem, "fix": fix})

    running = parse_version(host.docker_server)
    installed = parse_version(host.dockerd)
    if running and running < DOCKER_MINIMUM:
        lacks("docker", f"Docker {host.docker_server} is too old", "Install Docker 23 or newer.")
        packages += ["docker.io", "docker-cli", "containerd", "runc", "iptables"]
    elif not running and installed < DOCKER_MINIMUM:
        problem = f"Docker {host.dockerd} is too old" if installed else "Docker is missing"
        lacks("docker", problem, "Install Docker 23 or newer.")
        packages += ["docker.io", "docker-cli", "containerd", "runc", "iptables"]
    elif not running:
        lacks("docker", "Docker is not running", _start_fix(host))
    if not host.docker_client and "docker-cli" not in packages:
        lacks("docker", "the docker client is missing", "Install docker-cli.")
        packages.append("docker-cli")
    if not host.buildx:
        lacks("docker buildx", "docker buildx is missing", "Install Docker's buildx plugin.")
        packages.append("docker-buildx")
    elif (buildx := parse_version(host.buildx)) and buildx < BUILDX_MINIMUM:
        problem = f"docker buildx {'.'.join(map(str, buildx))} is too old"
        lacks("docker buildx", problem, "Install buildx 0.12 or newer.")
        packages.append("docker-buildx")
    if not host.mmdebstrap:
        lacks(
            "mmdebstrap",
            "mmdebstrap is missing (it creates a base image if none can be pulled)",
            "Install mmdebstrap.",
        )
        packages.append("mmdebstrap")
    for name, version, minimum in (
        ("helm", host.helm, HELM_MINIMUM),
        ("kubectl", host.kubectl, KUBECTL_MINIMUM),
    ):
        if parse_version(version) >= minimum:
            continue
        wanted = ".".join(map(str, minimum))
        problem = f"{name} {version} is too old" if version else f"{name} is missing"
        lacks(name, problem, f"Install {name} {wanted} or newer.")
        tools.append(name)
    return Findings(
        packages=packages,
        docker_needs_suite=debian
        and host.release == "12"
        and bool(set(packages) & set(DOCKER_FROM_TRIXIE)),
        start_docker=not running,
        tools=tools,
        missing=missing,
        can_install=debian and host.root and host.machine == "x86_64",
    )


def host_lacks(host: Any) -> list[str]:
    """What is missing on the host: for each item the problem and its fix, as one string.

    ``host`` is a ``Host`` as data. Raises ``UsageError`` for anything else.
    """
    from ..errors import UsageError

    try:
        findings = examine(Host(**host))
    except (TypeError, AttributeError):
        raise UsageError(
            "unexpected_data", "not the description of a host that host_inspect returns"
        ) from None
    return [f"{item['problem']}. {item['fix']}" for item in findings.missing]


def _start_fix(host: Host) -> str:
    return "Run `sudo systemctl start docker`." if host.systemd else "Start dockerd as root."


def observe(environ: Mapping[str, str] | None = None) -> Host:
    """Inspect this machine; each tool that is called has a timeout (``TOOL_SECONDS``)."""
    from platform import machine

    environ = os.environ if environ is None else environ
    release = os_release(Path("/etc/os-release"))
    client = _output("docker", "--version")
    return Host(
        distribution=release.get("ID", ""),
        release=release.get("VERSION_ID", ""),
        root=os.geteuid() == 0,
        machine=machine(),
        docker_server=_docker_server(environ),
        docker_client=client,
        dockerd=_version(_output("dockerd", "--version")),
        buildx=_output("docker", "buildx", "version") if client else "",
        helm=_version(_output("helm", "version", "--short")),
        kubectl=_version(_output("kubectl", "version", "--client")),
        mmdebstrap=shutil.which("mmdebstrap") is not None,
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


def _docker_server(environ: Mapping[str, str]) -> str:
    from ..errors import LocalloopError
    from .docker import Docker

    try:
        version: dict[str, Any] = Docker(environ=environ).version()
    except LocalloopError:
        return ""
    return str(version.get("Version", ""))


def _output(*argv: str) -> str:
    from ..errors import LocalloopError
    from . import tools

    path = shutil.which(argv[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        return ""
    try:
        done = tools.run([path, *argv[1:]], timeout=TOOL_SECONDS)
    except (OSError, LocalloopError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(text: str) -> str:
    return ".".join(map(str, parse_version(text)))
