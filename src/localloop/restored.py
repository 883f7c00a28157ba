"""Files whose times were restored: BuildKit would take other bytes in them for the same.

BuildKit keeps a copy of a context by its path, and fetches a file again only where its size, mode
or mtime differs. ``cp -p``, an archive or a reproducible generator gives other bytes the same one.
The ctime tells such files, since nobody can set it. A context with some of them gets a path that is
named by their contents, so that BuildKit starts another copy where one of them changes.
"""

from __future__ import annotations

import hashlib
import os

from .inputs.tree import Tree, item, items

_CLOSE_NS = 1_000_000_000  # writing a file and its rename, on a slow disk


def restored(root: bytes, tree: Tree) -> str:
    """16 hex digits over the files whose mtime is not when they were written; empty without any."""
    total, count = hashlib.sha256(), 0
    for folder in sorted(tree):
        for name, word in items(tree[folder].section):
            if word[:1] == b"f" and _is_restored(os.path.join(root, folder, name)):  # noqa: PTH118
                total.update(item(b"f", b"--", folder + b"/" + name, word))
                count += 1
    return total.hexdigest()[:16] if count else ""


def _is_restored(path: bytes) -> bool:
    try:
        info = os.lstat(path)
    except OSError:
        return False  # the build, and the look at the inputs after it, will tell
    return abs(info.st_ctime_ns - info.st_mtime_ns) > _CLOSE_NS
