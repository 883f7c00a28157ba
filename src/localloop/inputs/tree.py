"""A tree of inputs as bytes: per folder its mode bits and a section with its files and links.

A section is a sequence of length-prefixed entries: the kind (``f`` or ``l``), two mode bits (others
may read; the owner may execute), the name, and a file's sha256 or a link's target. Sections are
compared, stored and hashed as they are, and parsed only to show what changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from .names import path_text


class Folder(NamedTuple):
    """``bits`` are empty if the folder is not an input itself (the root, the way to a source)."""

    bits: bytes
    section: bytes


WORLD_READABLE = b"r-"
"""The bits of a folder that everyone may read and enter."""

Tree = dict[bytes, Folder]
"""Folders by their path relative to what was walked; ``b""`` is the root."""


def file_bits(mode: int) -> bytes:
    """The part of a file's mode that counts: the same under umask 002 and 022."""
    return (b"r" if mode & 0o004 else b"-") + (b"x" if mode & 0o100 else b"-")


def folder_bits(mode: int) -> bytes:
    """The part of a directory's mode that counts: whether others may read and enter it."""
    return WORLD_READABLE if mode & 0o005 == 0o005 else b"--"


def tree_entry(kind: bytes, bits: bytes, name: bytes, content: bytes) -> bytes:
    """A section's entry for one file or link."""
    return b"%s%s%d\0%s%d\0%s" % (kind, bits, len(name), name, len(content), content)


def tree_digest(head: bytes, tree: Tree) -> str:
    """The sha256 (hex) of ``head`` and the tree, sorted by path bytes, with all lengths."""
    total = hashlib.sha256(b"localloop\0%d\0" % len(head) + head)
    for path in sorted(tree):
        bits, section = tree[path]
        total.update(b"%d\0%s%d\0%s%d\0" % (len(path), path, len(bits), bits, len(section)))
        total.update(section)
    return total.hexdigest()


def tree_entries(section: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names in a section, each with bytes that differ whenever its entry differs."""
    place = 0
    while place < len(section):
        kind = section[place : place + 3]
        name, place = _counted(section, place + 3)
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
    for folder, (bits, section) in tree.items():
        if bits:
            found[path_text(folder)] = b"d" + bits
        prefix = folder + b"/" if folder else b""
        for name, word in tree_entries(section):
            path = path_text(prefix + name)
            found[path + "@" if path in found else path] = word
    return found


def differences(before: Tree, now: Tree) -> dict[str, list[str]]:
    """The paths that were ``added``, ``changed`` and ``removed``, sorted.

    A folder (``name/``) is listed if its own mode changed, or if it was added or removed empty.
    """
    found: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    for path in before.keys() | now.keys():
        old, new = before.get(path), now.get(path)
        if old == new:
            continue
        one = flatten({path: old}) if old else {}
        two = flatten({path: new}) if new else {}
        name = path_text(path)
        bits = one.pop(name, None), two.pop(name, None)
        found["added"] += two.keys() - one.keys()
        found["removed"] += one.keys() - two.keys()
        found["changed"] += [key for key in one.keys() & two.keys() if one[key] != two[key]]
        if all(bits) and bits[0] != bits[1]:
            found["changed"].append(name + "/")
        elif any(bits) and not all(bits):
            found["added" if bits[1] else "removed"].append(name + "/")
    return {word: list(_without_filled(sorted(names))) for word, names in found.items()}


def _without_filled(names: list[str]) -> Iterator[str]:
    for name, following in pairwise([*names, ""]):
        if not (name.endswith("/") and following.startswith(name)):
            yield name


def encode(tree: Tree) -> bytes:
    """The tree as bytes, for ``decode``."""
    parts = []
    for path, (bits, section) in tree.items():
        parts.append(b"%d\0%s%d\0%s%d\0" % (len(path), path, len(bits), bits, len(section)))
        parts.append(section)
    return b"".join(parts)


def decode(data: bytes) -> Tree:
    """The tree that ``encode`` wrote; raises ValueError for anything else."""
    tree: Tree = {}
    place = 0
    while place < len(data):
        path, place = _counted(data, place)
        bits, place = _counted(data, place)
        section, place = _counted(data, place)
        tree[path] = Folder(bits, section)
    return tree
