"""Which cluster this is: pinned locally per project and provider on first use.

The pin is the uid of namespace kube-system. A record inside the cluster proves nothing about the
cluster, a context's name even less.
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
    """The uid of namespace kube-system."""
    found = kube.get("/api/v1/namespaces/kube-system")
    return str(found["metadata"]["uid"]) if found else ""


def pinned_uid(pin: Path) -> str:
    """The uid pinned before; empty on first use."""
    try:
        return pin.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""


def pin(path: Path, uid: str) -> None:
    """Remember a cluster's identity (no write where it is known already)."""
    if pinned_uid(path) == uid:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(uid + "\n")
    temporary.replace(path)


def refuse_remote(kube: Kube) -> None:
    """Refuse a server that is neither loopback nor private."""
    if not is_local(kube.config.server):
        raise UsageError(
            "cluster_not_local",
            f"context {kube.config.context} is at {kube.config.server},"
            " which is neither a loopback nor a private address",
            hint="localloop deploys to local clusters only: choose another context.",
        )
