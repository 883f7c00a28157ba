"""Changes to a context that BuildKit would not notice, because it keeps a copy of it.

The copy's key is the last name of the context's path (buildx's ``SharedKey``), whatever the
project. BuildKit fetches a file again only if its size, mode or mtime differs, and ``cp -p``, an
archive or a reproducible generator can change its bytes and leave all three. The ctime reveals such
files, as it cannot be set. BuildKit also ignores a change of a folder's mode alone
(moby/buildkit#7176).

A context gets a path whose last name is a hash of such files, of the mode that most of its folders
have, and of the folders that have another. So BuildKit starts a new copy when one of them changes,
and not when a folder is added as the umask makes it.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter

from .tree import NO_MODE, Tree, tree_entries, tree_entry

_USUAL = b"0755"
_CLOSE_NS = 1_000_000_000  # enough to write and rename a file on a slow disk


def copy_name(root: bytes, tree: Tree) -> str:
    """16 hex digits that hash what BuildKit would not notice; empty if there is nothing such."""
    modes = Counter(mode for mode, _ in tree.values() if mode)
    usual = max(modes, key=lambda mode: (modes[mode], mode == _USUAL, mode), default=_USUAL)
    total, count = hashlib.sha256(usual), int(usual != _USUAL)
    for folder in sorted(tree):
        mode, section = tree[folder]
        if mode and mode != usual:
            total.update(tree_entry(b"d", mode, folder, b""))
            count += 1
        for name, word in tree_entries(section):
            if word[:1] == b"f" and _is_restored(os.path.join(root, folder, name)):  # noqa: PTH118
                total.update(tree_entry(b"f", NO_MODE, folder + b"/" + name, word))
                count += 1
    return total.hexdigest()[:16] if count else ""


def _is_restored(path: bytes) -> bool:
    try:
        info = os.lstat(path)
    except OSError:
        return False  # the build will fail, or the check of the inputs after it
    return abs(info.st_ctime_ns - info.st_mtime_ns) > _CLOSE_NS
