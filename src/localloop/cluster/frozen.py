"""The kubeconfig of one run: a private copy of one context, which nothing changes under the run.

It belongs to the holder of a project's lock, so every process of the run finds it by the lock, and
the next run of any project removes what a kill left.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..config.model import ClusterConfig
from ..errors import LocalloopError, UsageError
from ..kube.credentials import Credentials
from ..kube.kubeconfig import KubeConfig
from ..system.paths import write_private
from .identity import require_allowed

_NAME = re.compile(r"\.?(.+)\.kubeconfig(\.\d+)?")


def frozen_path(lock: Path) -> Path:
    """The frozen kubeconfig of the run that holds a project's lock."""
    return lock.parent.parent / "frozen" / f"{lock.stem}.kubeconfig"


def freeze(
    config: KubeConfig, wanted: ClusterConfig, environ: Mapping[str, str], lock: Path
) -> Path:
    """Copy a context to a file (0600) that needs no other one but a ``tokenFile``.

    The run holds ``lock``, and removes the file at its end. It only exists of a context that may be
    deployed to, so its readers need not ask again. An exec plugin is asked once, before anything
    else happens; in the copy it has its absolute path and the whole of ``environ``, because the
    tools of the run have less. Raises what ``require_allowed`` raises; ``UsageError``:
    ``exec_plugin_failed``; ``LocalloopError``: ``state_unwritable``.
    """
    require_allowed(config, wanted)
    try:
        Credentials(config).current()
    except LocalloopError as error:
        raise UsageError(error.reason, error.message, where=error.where, hint=error.hint) from error
    path = frozen_path(lock)
    try:
        sweep(path.parent, lock.parent)
        write_private(path, _text(_document(config, environ)).encode())
    except OSError as error:
        raise LocalloopError(
            "state_unwritable",
            f"cannot write {path}: {error.strerror} (errno {error.errno})",
            hint="Make the directory writable or set XDG_STATE_HOME to one that is.",
        ) from error
    return path


def sweep(folder: Path, locks: Path) -> None:
    """Remove the copies of runs that no longer hold their lock. Raises nothing."""
    for path in folder.glob("*"):
        found = _NAME.fullmatch(path.name)
        if found is None:
            continue
        with suppress(OSError):  # its run lives, or has just removed it
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(locks / f"{found[1]}.lock", flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def _document(config: KubeConfig, environ: Mapping[str, str]) -> dict[str, Any]:
    if config.plugin is None:
        return config.document
    (user,) = config.document["users"]
    plugin = user["user"]["exec"]
    command = shutil.which(plugin["command"], path=environ.get("PATH")) or plugin["command"]
    env = {**_representable(environ), **config.plugin.env}
    plugin = {
        **plugin,
        "command": command,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "interactiveMode": "Never",
    }
    return {**config.document, "users": [{**user, "user": {**user["user"], "exec": plugin}}]}


def _representable(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are UTF-8: a kubeconfig cannot have others."""
    found = {}
    for name, value in environ.items():
        with suppress(UnicodeEncodeError):
            (name + value).encode()
            found[name] = value
    return found


def _text(document: dict[str, Any]) -> str:
    """Flow YAML: JSON, with all that is not printable escaped as YAML does."""
    plain = json.dumps(document, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in plain)
