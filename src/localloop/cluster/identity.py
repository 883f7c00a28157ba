"""Which cluster this is, and whether it may be deployed to.

A cluster is known by the uid of its namespace kube-system, which is pinned on this machine for each
project and provider on first use. Neither a record inside the cluster nor the name of a context
proves which cluster it is.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from ..config.model import ClusterConfig
from ..errors import LocalloopError, UsageError
from ..kube.client import Kube
from ..kube.kubeconfig import KubeConfig
from ..kube.server import is_local, same_server
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
    """The uid pinned before; empty on first use.

    Raises ``LocalloopError`` (``state_unwritable``).
    """
    try:
        return pin.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unusable(pin, error) from error


def pin(path: Path, uid: str) -> None:
    """Save a cluster's identity, unless it is saved already.

    Raises ``LocalloopError`` (``state_unwritable``).
    """
    if pinned_uid(path) == uid:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(uid + "\n")
        temporary.replace(path)
    except OSError as error:
        raise _unusable(path, error) from error


def pin_first(path: Path, uid: str) -> None:
    """Save a cluster's identity on first use, before the first change. Raises as ``pin``.

    Another identity stays until a deploy to the cluster that was made anew has succeeded.
    """
    if uid and not pinned_uid(path):
        pin(path, uid)


def require_pinned(path: Path, uid: str, config: KubeConfig) -> None:
    """Raise ``UsageError`` (``cluster_replaced``) if this cluster is not the one that is pinned."""
    before = pinned_uid(path)
    if before and before != uid:
        raise UsageError(
            "cluster_replaced",
            f"context {config.context} at {config.server} is another cluster than before: its"
            f" kube-system has the uid {uid or '(none)'}, before it had {before}",
            hint="If it was made anew under the same name and you want to deploy to it:"
            f" `rm {shlex.quote(str(path))}`",
        )


def require_allowed(config: KubeConfig, wanted: ClusterConfig) -> None:
    """Raise ``UsageError`` for a context that may not be deployed to; nothing is asked or started.

    ``cluster_not_local``: its server is neither on this machine nor in ``cluster.allow_server``.
    Behind a proxy, no address is on this machine. ``exec_not_allowed``: its credentials come from
    a program that is not in ``cluster.allow_exec``.
    """
    server = config.server
    listed = any(same_server(server, each) for each in wanted.allow_server)
    if not listed and (config.proxy_url or not is_local(server)):
        why = (
            "which is reached through a proxy and so may be anywhere"
            if config.proxy_url
            else "which is neither loopback nor on a virtual network of this machine"
        )
        raise UsageError(
            "cluster_not_local",
            f"context {config.context} is at {server}, {why}",
            hint="To deploy there, write in localloop.yml:"
            f" `cluster: {{allow_server: [{_quoted(server)}]}}`",
        )
    if config.plugin is not None and config.plugin.name not in wanted.allow_exec:
        name = config.plugin.name
        raise UsageError(
            "exec_not_allowed",
            f"context {config.context} at {server} gets its credentials from the program {name}",
            hint="To let it be started, write in localloop.yml:"
            f" `cluster: {{allow_exec: [{_quoted(name)}]}}`",
        )


def _unusable(path: Path, error: OSError) -> LocalloopError:
    return LocalloopError(
        "state_unwritable",
        f"cannot use {path}: {error.strerror} (errno {error.errno})",
        hint="Make the directory writable or set XDG_STATE_HOME to one that is.",
    )


def _quoted(text: str) -> str:
    """A text as YAML in a flow list."""
    return json.dumps(text, ensure_ascii=False)
