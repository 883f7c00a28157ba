"""Which container runtime answers: Docker, rootless Docker, or something that stands in for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOCKER, ROOTLESS, PODMAN, NERDCTL = "Docker", "rootless Docker", "Podman", "nerdctl"


def client_runtime(version_line: str) -> str:
    """What the command ``docker`` really is, from its ``--version``; empty without any output.

    ``podman-docker`` and aliases put Podman or nerdctl behind that name.
    """
    first = version_line.strip().lower()
    if not first:
        return ""
    stand_ins = {"podman": PODMAN, "nerdctl": NERDCTL}
    return next((name for word, name in stand_ins.items() if first.startswith(word)), DOCKER)


def server_runtime(version: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """What answers on Docker's socket, from ``GET /version`` and ``GET /info``.

    Empty if ``version`` is empty: nothing answers.
    """
    if not version:
        return ""
    components = [str(each.get("Name", "")) for each in version.get("Components") or ()]
    if any(name.startswith(PODMAN) for name in components):
        return PODMAN
    return ROOTLESS if "name=rootless" in (info.get("SecurityOptions") or ()) else DOCKER
