"""A tree of inputs as bytes: per folder its mode and a section with its files and links.

A section is a sequence of length-prefixed entries: the kind (``f`` or ``l``), the mode (four octal
digits; ``----`` where it does not count), the name, and a file's sha256 or a link's target.
Sections are compared, stored and hashed as they are, and parsed only to show what changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from .names import path_text


class Folder(NamedTuple):
    """``mode`` is empty if the folder is not an input itself (the root, the way to a source)."""

    mode: bytes
    section: bytes


NO_MODE = b"----"
"""The mode of a link, and of whatever counts without its mode."""

_KIND_AND_MODE = 5

Tree = dict[bytes, Folder]
"""Folders by their path relative to what was walked; ``b""`` is the root."""


def mode_text(st_mode: int) -> bytes:
    """All twelve bits of a mode, as BuildKit copies them: ``0644``."""
    return b"%04o" % (st_mode & 0o7777)


def tree_entry(kind: bytes, mode: bytes, name: bytes, content: bytes) -> bytes:
    """A section's entry for one file or link."""
    return b"%s%s%d\0%s%d\0%s" % (kind, mode, len(name), name, len(content), content)


def tree_digest(head: bytes, tree: Tree) -> str:
    """The sha256 (hex) of ``head`` and the tree, sorted by path bytes, with all lengths."""
    total = hashlib.sha256(b"localloop\0%d\0" % len(head) + head)
    for path in sorted(tree):
        mode, section = tree[path]
        total.update(b"%d\0%s%d\0%s%d\0" % (len(path), path, len(mode), mode, len(section)))
        total.update(section)
    return total.hexdigest()


def tree_entries(section: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names in a section, each with bytes that differ whenever its entry differs."""
    place = 0
    while place < len(section):
        kind = section[place : place + _KIND_AND_MODE]
        name, place = _counted(section, place + _KIND_AND_MODE)
        content, place = _counted(section, place)
        yield name, kind + content


def _counted(data: bytes, place: int) -> tuple[bytes, int]:
    end = data.index(b"\0", place)
    start = end + 1
    stop = start + int(data[place:end])
    if stop > len(data):
        raise ValueError("truncated")
    return data[start:stop], stop


def flatten(tree: Tree) -> dict[str, bytes]:
    """Every file, link and folder by its path; of a followed link, ``path@`` is the target."""
    found: dict[str, bytes] = {}
    for folder, (mode, section) in tree.items():
        if mode:
            found[path_text(folder)] = b"d" + mode
        prefix = folder + b"/" if folder else b""
        for name, word in tree_entries(section):
            path = path_text(prefix + name)
            found[path + "@" if path in found else path] = word
    return found


def differences(before: Tree, now: Tree) -> dict[str, list[str]]:
    """The paths that were ``added``, ``changed`` and ``removed``, sorted.

    A folder (``name/``) is listed if its own mode changed, or if it was added or removed empty.
    Where nothing but the mode changed, both are shown: ``name (mode 600 → 644)``.
    """
    found: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    for path in before.keys() | now.keys():
        old, new = before.get(path), now.get(path)
        if old == new:
            continue
        one = flatten({path: old}) if old else {}
        two = flatten({path: new}) if new else {}
        name = path_text(path)
        was, has = one.pop(name, b""), two.pop(name, b"")
        found["added"] += two.keys() - one.keys()
        found["removed"] += one.keys() - two.keys()
        found["changed"] += [
            key + _modes(one[key], two[key])
            for key in one.keys() & two.keys()
            if one[key] != two[key]
        ]
        if was and has and was != has:
            found["changed"].append(name + "/" + _modes(was, has))
        elif bool(was) != bool(has):
            found["added" if has else "removed"].append(name + "/")
    return {word: list(_without_filled(sorted(names))) for word, names in found.items()}


def removed_below(folder: str, before: Tree, now: Tree) -> list[str]:
    """The files in any ``folder`` that are gone, sorted; not those that only moved."""
    one, two = flatten(before), flatten(now)
    there = set(two.values())
    return sorted(
        path
        for path, word in one.items()
        if path not in two and word not in there and folder in path.split("/")[:-1]
    )


def _modes(old: bytes, new: bytes) -> str:
    """The modes, if they alone differ (``old`` and ``new`` as ``flatten`` returns them)."""
    if old[:1] + old[_KIND_AND_MODE:] != new[:1] + new[_KIND_AND_MODE:]:
        return ""
    was, has = (each[1:_KIND_AND_MODE].decode().lstrip("0") or "0" for each in (old, new))
    return f" (mode {was} → {has})"


def _without_filled(names: list[str]) -> Iterator[str]:
    for name, following in pairwise([*names, ""]):
        if not (name.endswith("/") and following.startswith(name)):
            yield name


def encode(tree: Tree) -> bytes:
    """The tree as bytes, for ``decode``."""
    parts = []
    for path, (mode, section) in tree.items():
        parts.append(b"%d\0%s%d\0%s%d\0" % (len(path), path, len(mode), mode, len(section)))
        parts.append(section)
    return b"".join(parts)


def decode(data: bytes) -> Tree:
    """The tree that ``encode`` wrote; raises ValueError for anything else."""
    tree: Tree = {}
    place = 0
    while place < len(data):
        path, place = _counted(data, place)
        mode, place = _counted(data, place)
        section, place = _counted(data, place)
        tree[path] = Folder(mode, section)
    return tree
