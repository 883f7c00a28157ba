"""A tree of inputs as bytes: per folder its own bits and a section that lists its files and links.

A section is a run of items, each length-prefixed: kind (``f`` or ``l``), two bits (others may read;
the owner may execute), name, and content: a file's sha256 or a link's text. Sections are compared,
kept and hashed as they are; they are only taken apart to say what changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple


class Folder(NamedTuple):
    """``bits`` are empty where the folder itself is no input (the root, the way to a source)."""

    bits: bytes
    section: bytes


WORLD_READABLE = b"r-"
"""The bits of a folder that all may read and enter."""

Tree = dict[bytes, Folder]
"""Folders by their path relative to what was walked; ``b""`` is the root."""


def file_bits(mode: int) -> bytes:
    """What counts of a file's mode: equal under the umasks 002 and 022."""
    return (b"r" if mode & 0o004 else b"-") + (b"x" if mode & 0o100 else b"-")


def folder_bits(mode: int) -> bytes:
    """What counts of a directory's mode: whether others may read and enter it."""
    return WORLD_READABLE if mode & 0o005 == 0o005 else b"--"


def tree_entry(kind: bytes, bits: bytes, name: bytes, content: bytes) -> bytes:
    """One file or link of a section."""
    return b"%s%s%d\0%s%d\0%s" % (kind, bits, len(name), name, len(content), content)


def tree_digest(head: bytes, tree: Tree) -> str:
    """The sha256 of ``head`` and the tree, in hex; sorted by path bytes, all lengths included."""
    total = hashlib.sha256(b"localloop\0%d\0" % len(head) + head)
    for path in sorted(tree):
        bits, section = tree[path]
        total.update(b"%d\0%s%d\0%s%d\0" % (len(path), path, len(bits), bits, len(section)))
        total.update(section)
    return total.hexdigest()


def tree_entries(section: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names of a section, each with a word that differs where the item does."""
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
        raise ValueError("cut short")
    return data[start:stop], stop


def flatten(tree: Tree) -> dict[str, bytes]:
    """Every file, link and folder by its path; a link and what lies behind it are both kept."""
    found: dict[str, bytes] = {}
    for folder, (bits, section) in tree.items():
        if bits:
            found[_text(folder)] = b"d" + bits
        prefix = folder + b"/" if folder else b""
        for name, word in tree_entries(section):
            path = _text(prefix + name)
            found[path + "@" if path in found else path] = word
    return found


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def differences(before: Tree, now: Tree) -> dict[str, list[str]]:
    """The paths that were ``added``, ``changed`` and ``removed``, sorted.

    A folder is named (``name/``) where its own bits changed, or where it came or went empty.
    """
    found: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    for path in before.keys() | now.keys():
        old, new = before.get(path), now.get(path)
        if old == new:
            continue
        one = flatten({path: old}) if old else {}
        two = flatten({path: new}) if new else {}
        own = _text(path)
        bits = one.pop(own, None), two.pop(own, None)
        found["added"] += two.keys() - one.keys()
        found["removed"] += one.keys() - two.keys()
        found["changed"] += [name for name in one.keys() & two.keys() if one[name] != two[name]]
        if all(bits) and bits[0] != bits[1]:
            found["changed"].append(own + "/")
        elif any(bits) and not all(bits):
            found["added" if bits[1] else "removed"].append(own + "/")
    return {word: list(_without_filled(sorted(names))) for word, names in found.items()}


def _without_filled(names: list[str]) -> Iterator[str]:
    for name, following in pairwise([*names, ""]):
        if not (name.endswith("/") and following.startswith(name)):
            yield name


def encode(tree: Tree) -> bytes:
    """The tree as bytes."""
    parts = []
    for path, (bits, section) in tree.items():
        parts.append(b"%d\0%s%d\0%s%d\0" % (len(path), path, len(bits), bits, len(section)))
        parts.append(section)
    return b"".join(parts)


def decode(data: bytes) -> Tree:
    """A tree that ``encode`` wrote; raises ValueError for anything else."""
    tree: Tree = {}
    place = 0
    while place < len(data):
        path, place = _counted(data, place)
        bits, place = _counted(data, place)
        section, place = _counted(data, place)
        tree[path] = Folder(bits, section)
    return tree
