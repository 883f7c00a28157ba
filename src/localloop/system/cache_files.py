"""A project's ``.cache/localloop``: written atomically, verified when read, never through links."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from ..errors import UsageError

OWN_CACHES = ("localloop", "deploy-reports", "perf")
"""The directories of ``.cache`` that are localloop's own: never an input unless declared."""


def cache_dir(root: Path, *parts: str) -> Path:
    """A directory of our cache inside the project, created if missing.

    Raises ``UsageError`` (``cache_symlink``) if it or a directory above it is a symbolic link.
    """
    here = root
    for part in (".cache", "localloop", *parts):
        here = here / part
        if here.is_symlink():
            message = f"{here} is a symbolic link: localloop does not write through it"
            raise UsageError("cache_symlink", message, hint="remove the link")
        here.mkdir(exist_ok=True)
        if part == "localloop" and not (here / ".gitignore").exists():
            (here / ".gitignore").write_text("*\n", encoding="ascii")
    return here


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by rename; without fsync, since everything here can be recomputed.

    Raises ``OSError``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_checked(path: Path, kind: str, body: bytes) -> None:
    """Write a file for ``read_checked``; ``kind`` names its format. Raises ``OSError``."""
    head = f"localloop {kind}\n".encode()
    write_atomically(path, head + hashlib.sha256(body).digest() + body)


def read_checked(path: Path, kind: str) -> bytes | None:
    """The body of a file of that kind; None if it is missing or damaged.

    A damaged file is renamed to ``NAME.damaged``.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return None
    head = f"localloop {kind}\n".encode()
    start = len(head) + 32
    body = data[start:]
    if data.startswith(head) and hashlib.sha256(body).digest() == data[len(head) : start]:
        return body
    with contextlib.suppress(OSError):
        path.replace(path.with_name(f"{path.name}.damaged"))
    return None
