"""Whether a node's images are those in this Docker's own store, by what both say. Pure, but for
``this_daemon``."""

from __future__ import annotations

import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..kube.objects import Object

DOCKER_RUNTIME = "docker://"
_MACHINE_ID = Path("/etc/machine-id")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """This Docker: the name of its host, its version and its kernel.

    ``ids`` are the machine id and the boot id of this machine if the daemon runs on it, and not in
    a virtual machine.
    """

    name: str = ""
    version: str = ""
    kernel: str = ""
    ids: frozenset[str] = frozenset()


def this_daemon(info: Mapping[str, Any]) -> Daemon:
    """The daemon from what ``docker info`` shows of it."""
    name, kernel = str(info.get("Name") or ""), str(info.get("KernelVersion") or "")
    ids: frozenset[str] = frozenset()
    if (name, kernel) == (socket.gethostname(), platform.release()):
        ids = frozenset(filter(None, (_read(_MACHINE_ID), _read(_BOOT_ID))))
    return Daemon(name=name, version=str(info.get("ServerVersion") or ""), kernel=kernel, ids=ids)


def runtime_of(node: Object) -> str:
    """The node's container runtime as it reports it: ``docker://28.1.0``; empty if unknown."""
    return _reported(node, "containerRuntimeVersion")


def why_unlike(node: Object, daemon: Daemon) -> str:
    """Why a node's containers are not this Docker's, in a few words; empty if nothing says so.

    A node runs on this Docker if it has the same version and kernel, and the name of the daemon's
    host; where the kubelet was given another name, the machine id or the boot id of this machine.
    """
    runtime = runtime_of(node)
    if not runtime.startswith(DOCKER_RUNTIME):
        return f"its runtime is {runtime or 'not known'}"
    if runtime.removeprefix(DOCKER_RUNTIME) != daemon.version:
        return f"its runtime is {runtime}, and this Docker is {daemon.version}"
    kernel = _reported(node, "kernelVersion")
    if kernel and kernel != daemon.kernel:
        return f"its kernel is {kernel}, and this Docker's is {daemon.kernel}"
    if str(node["metadata"]["name"]).lower() == daemon.name.lower():
        return ""
    if daemon.ids & {_reported(node, "machineID"), _reported(node, "bootID")}:
        return ""
    return f"its name is not that of Docker's host ({daemon.name})"


def _reported(node: Object, key: str) -> str:
    info = (node.get("status") or {}).get("nodeInfo") or {}
    return str(info.get(key) or "")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
