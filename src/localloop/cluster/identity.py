"""Which cluster this is: pinned locally per project and provider on first use.

The pin is the uid of namespace kube-system. Neither a record inside the cluster nor the name of a
context proves which cluster it is.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UsageError
from ..kube.client import Kube
from ..kube.kubeconfig import is_local
from ..system.paths import state_dir


def pin_path(provider: str, cluster: str, project: str) -> Path:
    """The file that holds a project's pin of a cluster."""
    return state_dir() / "pins" / provider / cluster / project


def cluster_uid(kube: Kube) -> str:
    """The uid of namespace kube-system; empty if it does not exist.

    Raises ``LocalloopError`` (``apiserver_unreachable``).
    """
    found = kube.get("/api/v1/namespaces/kube-system")
    return str(found["metadata"]["uid"]) if found else ""


def pinned_uid(pin: Path) -> str:
    """The uid pinned before; empty on first use."""
    try:
        return pin.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""


def pin(path: Path, uid: str) -> None:
    """Save a cluster's identity, unless it is saved already. Raises ``OSError``."""
    if pinned_uid(path) == uid:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(uid + "\n")
    temporary.replace(path)


def refuse_remote(kube: Kube) -> None:
    """Raise ``UsageError`` (``cluster_not_local``) for a server that is not loopback or private."""
    if not is_local(kube.config.server):
        raise UsageError(
            "cluster_not_local",
            f"context {kube.config.context} is at {kube.config.server},"
            " which is neither a loopback nor a private address",
            hint="localloop deploys to local clusters only: choose another context.",
        )
