"""Changes that BuildKit would not see in a context, of which it keeps a copy.

The copy goes by the last name of the context's path (buildx's ``SharedKey``), whatever the project.
A file is fetched again only where its size, mode or mtime differs. ``cp -p``, an archive or a
reproducible generator gives other bytes the same ones. The ctime tells such files, since nobody can
set it. And a folder's mode alone is no change to BuildKit (moby/buildkit#7176): ``COPY`` stays
cached. Most folders may be read by all, so the others tell.

A context with such files or folders gets a path whose last name is made of them, so that BuildKit
starts another copy where one of them changes.
"""

from __future__ import annotations

import hashlib
import os

from .tree import WORLD_READABLE, Tree, tree_entries, tree_entry

_CLOSE_NS = 1_000_000_000  # writing a file and its rename, on a slow disk


def copy_name(root: bytes, tree: Tree) -> str:
    """16 hex digits over what BuildKit would not see; empty where there is nothing of the kind."""
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
        return False  # the build, and the look at the inputs after it, will tell
    return abs(info.st_ctime_ns - info.st_mtime_ns) > _CLOSE_NS
