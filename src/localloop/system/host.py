"""What a machine lacks of the tools that localloop needs, and how to get it.

Everything here is pure; ``host_observed`` inspects the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

DOCKER_MINIMUM = (23, 0)  # BuildKit with named contexts
BUILDX_MINIMUM = (0, 12)  # the first with --progress=rawjson
HELM_MINIMUM = (3, 18, 4)
KIND_MINIMUM = (0, 33)
KUBECTL_MINIMUM = (1, 36)  # kubectl supports one minor version either side of the cluster's
GO_MINIMUM = (1, 21)  # the first that fetches the Go that a module asks for
INOTIFY_MINIMUM = {"max_user_instances": 512, "max_user_watches": 524288}  # kind's documentation
DEBIAN_RELEASES = ("12", "13")
DOCKER_PACKAGES = ("docker.io", "docker-cli", "containerd", "runc", "iptables")
DOCKER_FROM_TRIXIE = ("docker.io", "docker-cli", "docker-buildx")
DEBIAN_GO = "/usr/bin/go"
ON_DEBIAN = "localloop installs these on Debian 12 and 13 (amd64) as root only."
BY_HAND = "Not all of these can be installed here: do the others by hand, then run this again."


@dataclass(frozen=True, kw_only=True)
class Host:
    """What was found on the machine; an empty string for a missing tool."""

    distribution: str
    release: str
    root: bool
    machine: str
    runtime: str
    docker_server: str
    docker_client: str
    dockerd: str
    buildx: str
    podman: str
    nerdctl: str
    kind: str
    helm: str
    kubectl: str
    hidden: dict[str, dict[str, str]]
    go: str
    go_path: str
    mmdebstrap: bool
    sysctl: bool
    inotify: dict[str, int]
    inotify_writable: bool
    systemd: bool


@dataclass(kw_only=True)
class Findings:
    """What to install or change, and each missing item with its fix."""

    can_install: bool
    cannot_because: str = ""
    packages: list[str] = field(default_factory=list)
    docker_needs_suite: bool = False
    start_docker: bool = False
    tools: list[str] = field(default_factory=list)
    go: str = ""
    sysctls: dict[str, int] = field(default_factory=dict)
    missing: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lacks(self, name: str, problem: str, fix: str) -> None:
        """Add an item that ``packages``, ``tools``, ``sysctls`` or ``start_docker`` provides."""
        self.missing.append({"name": name, "problem": problem, "fix": fix})

    def refuse(self, name: str, problem: str, fix: str) -> None:
        """Add an item that no installation provides."""
        self.lacks(name, problem, fix)
        self.can_install, self.cannot_because = False, self.cannot_because or BY_HAND


def parse_version(text: str) -> tuple[int, ...]:
    """The first dotted number in a tool's output: ``v3.18.4+gd80839c`` → (3, 18, 4)."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    """A version as text: (3, 18, 4) → ``3.18.4``; empty for none."""
    return ".".join(map(str, version))


def examine(host: Host) -> Findings:
    """What is missing on the host, too old, or of the wrong kind."""
    debian = host.distribution == "debian" and host.release in DEBIAN_RELEASES
    able = debian and host.root and host.machine == "x86_64"
    found = Findings(can_install=able, cannot_because="" if able else ON_DEBIAN)
    _examine_docker(host, found)
    if not host.mmdebstrap:
        found.lacks(
            "mmdebstrap",
            "mmdebstrap is missing (it creates a base image if none can be pulled)",
            "Install mmdebstrap.",
        )
        found.packages.append("mmdebstrap")
    _examine_tools(host, found)
    if able and "kind" in found.tools:
        _examine_go(host, found)
    _examine_inotify(host, found, able=able)
    found.docker_needs_suite = host.release == "12" and bool(
        set(found.packages) & set(DOCKER_FROM_TRIXIE)
    )
    return found


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


def _examine_docker(host: Host, found: Findings) -> None:
    from .container_runtime import DOCKER, NERDCTL, PODMAN, ROOTLESS, client_runtime

    client = client_runtime(host.docker_client)
    if client not in ("", DOCKER):
        found.refuse(
            "docker",
            f"the command docker is {client} {dotted(parse_version(host.docker_client))}",
            "localloop needs Docker itself: remove the package, alias or link that puts"
            f" {client} behind that name (on Debian the package podman-docker).",
        )
    elif host.runtime == PODMAN:
        found.refuse(
            "docker",
            f"Podman {host.docker_server} answers on Docker's socket",
            "localloop needs Docker itself: unset DOCKER_HOST, or set it to Docker's socket.",
        )
    else:
        _examine_daemon(host, found)
        _examine_client(host, found)
        if host.runtime:
            found.notes.append(f"The container runtime is {host.runtime} {host.docker_server}.")
    if host.runtime == ROOTLESS:
        found.notes.append(
            "Rootless Docker runs the kindest/node images only, not the one that is built here."
        )
    for name, version in ((PODMAN, host.podman), (NERDCTL, host.nerdctl)):
        if version:
            found.notes.append(f"{name} {version} is not used: localloop works with Docker only.")


def _examine_client(host: Host, found: Findings) -> None:
    if not host.docker_client and "docker-cli" not in found.packages:
        found.lacks("docker", "the docker client is missing", "Install docker-cli.")
        found.packages.append("docker-cli")
    if not host.buildx:
        found.lacks("docker buildx", "docker buildx is missing", "Install Docker's buildx plugin.")
        found.packages.append("docker-buildx")
    elif (buildx := parse_version(host.buildx)) and buildx < BUILDX_MINIMUM:
        problem = f"docker buildx {dotted(buildx)} is too old"
        found.lacks("docker buildx", problem, "Install buildx 0.12 or newer.")
        found.packages.append("docker-buildx")


def _examine_daemon(host: Host, found: Findings) -> None:
    running = parse_version(host.docker_server)
    installed = parse_version(host.dockerd)
    found.start_docker = not running
    problem = ""
    if running and running < DOCKER_MINIMUM:
        problem = f"Docker {host.docker_server} is too old"
    elif not running and installed < DOCKER_MINIMUM:
        problem = f"Docker {host.dockerd} is too old" if installed else "Docker is missing"
    if problem:
        found.lacks("docker", problem, "Install Docker 23 or newer.")
        found.packages += DOCKER_PACKAGES
    elif not running:
        start = "Run `sudo systemctl start docker`." if host.systemd else "Start dockerd as root."
        found.lacks("docker", "Docker is not running", start)


def _examine_tools(host: Host, found: Findings) -> None:
    for name, version, minimum in (
        ("kind", host.kind, KIND_MINIMUM),
        ("helm", host.helm, HELM_MINIMUM),
        ("kubectl", host.kubectl, KUBECTL_MINIMUM),
    ):
        if parse_version(version) >= minimum:
            continue
        hidden = host.hidden.get(name, {})
        if parse_version(hidden.get("version", "")) >= minimum:
            found.refuse(
                name,
                f"{name} {version} ({hidden['behind']}) is too old, and PATH finds it before"
                f" {hidden['version']} ({hidden['path']})",
                f"Remove {hidden['behind']}, or put the other one's directory first on PATH.",
            )
            continue
        problem = f"{name} {version} is too old" if version else f"{name} is missing"
        found.lacks(name, problem, f"Install {name} {dotted(minimum)} or newer.")
        found.tools.append(name)


def _examine_go(host: Host, found: Findings) -> None:
    """Where the Go comes from that builds kind: the machine, Debian 13, or else PyPI."""
    if parse_version(host.go) >= GO_MINIMUM:
        found.go = host.go_path
        return
    problem = f"Go {host.go} is too old" if host.go else "Go is missing"
    found.lacks("go", f"{problem} (it builds kind)", f"Install Go {dotted(GO_MINIMUM)} or newer.")
    if host.release == "13":
        found.packages.append("golang-go")
        found.go = DEBIAN_GO


def _examine_inotify(host: Host, found: Findings, *, able: bool) -> None:
    for name, minimum in INOTIFY_MINIMUM.items():
        value, key = host.inotify.get(name, minimum), f"fs.inotify.{name}"
        if value >= minimum:
            continue
        problem = f"{key} is {value}, too low for a cluster of several nodes"
        fix = f"`sysctl -w {key}={minimum}` raises it."
        if not (able and host.inotify_writable):
            found.notes.append(f"{problem}. As root on the host, {fix}")
            continue
        found.lacks("inotify", problem, fix)
        found.sysctls[key] = minimum
    if found.sysctls and not host.sysctl:
        found.packages.append("procps")
