"""The environment of a measurement, without anything that identifies the machine."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

from .bed import Workbench


def describe(bed: Workbench) -> str:
    """One sentence: the machine, and the versions of all tools in the loop."""
    docker = bed.run(["docker", "version", "--format", "{{.Server.Version}}"])
    helm = bed.run(["helm", "version", "--template", "{{.Version}}"]).lstrip("v")
    asked = ["kubectl", "--kubeconfig", bed.kubeconfig, "get", "--raw", "/version"]
    git_version = bed.run(asked).partition('"gitVersion": "v')[2]
    kubernetes = git_version.partition('"')[0]
    return (
        f"{machine()}, ansible-core {version('ansible-core')}, Docker {docker.strip()},"
        f" Helm {helm.strip()}, Kubernetes {kubernetes}"
    )


def machine() -> str:
    """The date, the machine and Python."""
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} cores ({_processor()}),"
        f" {platform.system()} {kernel}, load average {os.getloadavg()[0]:.1f} at the"
        f" start; Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
