"""Places on a node that are the node's own: a mount there would hide what it runs on."""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath

OWNER_DEST = "/etc/localloop/owner"
"""Where a node has the file that says whose it is."""

TMPFS = ("/tmp", "/run", "/var/run")  # noqa: S108 (of a node); /var/run is a link to /run
_WHOLE = (
    *("/", "/bin", "/sbin", "/lib", "/lib64", "/lib/modules", "/usr", "/usr/bin", "/usr/lib"),
    *("/usr/local", "/usr/local/bin", "/etc", "/etc/containerd", "/etc/systemd", "/dev", "/kind"),
    *("/var", "/var/lib"),
)
_WITH_ALL_IN_THEM = ("/proc", "/sys", posixpath.dirname(OWNER_DEST))  # Docker refuses the first two


def is_in(place: str, folder: str) -> bool:
    """Whether a path of a node is a folder or lies in it."""
    return PurePosixPath(place).is_relative_to(folder)


def normal(place: str) -> str:
    """A path of a node without what means nothing in it: ``//a/./b/`` is ``/a/b``."""
    return "/" + posixpath.normpath(place).lstrip("/")


def problem(place: str) -> str:
    """Why nothing can be mounted at a place of a node, as a sentence; empty if something can."""
    if not place.startswith("/"):
        return f"{place!r} must be an absolute path on the nodes"
    if ".." in place.split("/"):
        return f"{place!r}: '..' is not allowed on the nodes"
    path = normal(place)
    if path in _WHOLE or any(is_in(path, folder) for folder in _WITH_ALL_IN_THEM):
        return f"{path!r} on the nodes is in use: it would be hidden"
    return ""
