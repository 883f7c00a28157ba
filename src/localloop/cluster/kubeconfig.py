"""The cluster's kubeconfig on this machine: derived data, fetched again if it is lost or
damaged."""

from __future__ import annotations

from collections.abc import Mapping

from ..system.paths import write_private
from .state import kubeconfig_path


def ensure_kubeconfig(
    name: str,
    api: str,
    environ: Mapping[str, str],
    *,
    renew: bool = False,
    check: bool = False,
) -> bool:
    """Make sure that the kubeconfig names the server ``api``; returns whether it differed.

    ``renew`` compares all of it with what kind says, which takes a process. With ``check`` nothing
    is written. Raises ``LocalloopError`` (``kubeconfig_missing``), or ``UsageError`` without kind.
    """
    path = kubeconfig_path(name)
    try:
        content = path.read_bytes()
        private = path.stat().st_mode & 0o777 == 0o600
    except OSError:
        content, private = b"", False
    if private and not renew and f"server: {api}\n".encode() in content:
        return False
    from .kind import read_kubeconfig

    found = read_kubeconfig(name, environ=environ)
    if private and found == content:
        return False
    if not check:
        write_private(path, found)
    return True
