"""Changes to a context that BuildKit would not notice, because it keeps a copy of it.

The copy's key is the last name of the context's path (buildx's ``SharedKey``), whatever the
project. BuildKit fetches a file again only if its size, mode or mtime differs, and ``cp -p``, an
archive or a reproducible generator can change its bytes and leave all three. The ctime reveals such
files, as it cannot be set. BuildKit also ignores a change of a folder's mode alone
(moby/buildkit#7176), so folders that are not world-readable are treated like such files.

A context with such files or folders gets a path whose last name is a hash of them, so that BuildKit
starts a new copy when one of them changes.
"""

from __future__ import annotations

import hashlib
import os

from .tree import WORLD_READABLE, Tree, tree_entries, tree_entry

_CLOSE_NS = 1_000_000_000  # enough to write and rename a file on a slow disk


def copy_name(root: bytes, tree: Tree) -> str:
    """16 hex digits that hash what BuildKit would not notice; empty if there is nothing such."""
    total, count = hashlib.sha256(), 0
    for folder in sorted(tree):
        bits, section = tree[folder]
        if bits and bits != WORLD_READABLE:
            total.update(tree_entry(b"d", bits, folder, b""))
            count += 1
        for name, word in tree_entries(section):
            if word[:1] == b"f" and _is_restored(os.path.join(root, folder, name)):  # noqa: PTH118
                total.update(tree_entry(b"f", b"--", folder + b"/" + name, word))
                count += 1
    return total.hexdigest()[:16] if count else ""


def _is_restored(path: bytes) -> bool:
    try:
        info = os.lstat(path)
    except OSError:
        return False  # the build will fail, or the check of the inputs after it
    return abs(info.st_ctime_ns - info.st_mtime_ns) > _CLOSE_NS
