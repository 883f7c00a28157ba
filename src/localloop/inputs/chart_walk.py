"""Walking a chart: the files that Helm reads, following links as Helm does.

Helm renders bytes, so modes do not count here.
"""

# Paths are bytes here: names need not be valid text.
# ruff: noqa: PTH118
from __future__ import annotations

import os
import stat
from typing import Protocol

from ..system.cache_files import OWN_CACHES
from .names import input_error, path_text, refuse_special, unreadable
from .sources import list_names, read_link
from .tree import NO_MODE, Folder, Tree, tree_entry
from .walk import FileHasher, FileToHash, file_to_hash

_OWN = tuple(b"/.cache/" + name.encode() for name in OWN_CACHES)


class IgnoreRules(Protocol):
    """The ignore rules of a chart."""

    def ignored(self, path: str, is_dir: bool) -> bool:
        """Whether a path relative to the chart is left out."""


def walk_chart(root: bytes, ignore: IgnoreRules, boundary: bytes, files: FileHasher) -> Tree:
    """The files of the chart in ``root``, as one folder with their paths as names.

    Links are followed inside ``boundary`` only; both a link and its target are inputs. Raises
    UsageError for a link that loops or leads out, and for an input that cannot be read.
    """
    walk = _ChartWalk(ignore, os.path.realpath(boundary))
    walk.folder(root, b"", frozenset((os.path.realpath(root),)))
    digests = files.digests([found for _, found in walk.files])
    items = [(path, b"l", tree_entry(b"l", NO_MODE, path, text)) for path, text in walk.links]
    items += [
        (path, b"f", tree_entry(b"f", NO_MODE, path, digest))
        for (path, _), (digest, _) in zip(walk.files, digests, strict=True)
        if digest
    ]
    items.sort(key=lambda found: (found[0], found[1] == b"f"))
    return {b"": Folder(b"", b"".join(text for _, _, text in items))}


def chart_files(root: bytes, ignore: IgnoreRules, boundary: bytes) -> list[tuple[bytes, bytes]]:
    """The files of ``walk_chart``: the path of each in the chart, and where its bytes are."""
    walk = _ChartWalk(ignore, os.path.realpath(boundary))
    walk.folder(root, b"", frozenset((os.path.realpath(root),)))
    return [(path, found.real) for path, found in walk.files]


def walk_files(root: bytes, paths: list[bytes], files: FileHasher) -> Folder:
    """Single files (``paths`` relative to ``root``) as one folder; links are followed."""
    found = []
    for path in sorted(paths):
        place = os.path.realpath(os.path.join(root, path))
        info = _lstat(place, path)
        if info is not None:
            refuse_special(path, info.st_mode)
            found.append((path, file_to_hash(place, path, info)))
    digests = files.digests([job for _, job in found])
    section = (
        tree_entry(b"f", NO_MODE, path, digest)
        for (path, _), (digest, _) in zip(found, digests, strict=True)
        if digest
    )
    return Folder(b"", b"".join(section))


class _ChartWalk:
    def __init__(self, ignore: IgnoreRules, boundary: bytes) -> None:
        self.ignore = ignore
        self.boundary = boundary
        self.links: list[tuple[bytes, bytes]] = []
        self.files: list[tuple[bytes, FileToHash]] = []

    def folder(self, real: bytes, prefix: bytes, above: frozenset[bytes]) -> None:
        """Add everything below a directory; ``above`` are the real paths of its parents."""
        for name in list_names(real, prefix):
            path = prefix + b"/" + name if prefix else name
            self.entry(os.path.join(real, name), path, above)

    def entry(self, place: bytes, path: bytes, above: frozenset[bytes]) -> None:
        text = path_text(path)
        info = _lstat(place, path)
        if info is None or path.rpartition(b"/")[2] == b".git" or (b"/" + path).endswith(_OWN):
            return
        if stat.S_ISLNK(info.st_mode):
            if self.ignore.ignored(text, False):
                return
            self.links.append((path, read_link(place, path)))
            place = os.path.realpath(place)
            info = self.link_target(path, place)
            if info is None:
                return
        directory = stat.S_ISDIR(info.st_mode)
        if self.ignore.ignored(text, directory):
            return
        refuse_special(path, info.st_mode)
        if not directory:
            self.files.append((path, file_to_hash(place, path, info)))
            return
        resolved = os.path.realpath(place)
        if resolved in above:
            message = "the chart's link {path} leads back to a directory above it"
            raise input_error("input_link_loop", path, message)
        self.folder(place, path, above | {resolved})

    def link_target(self, path: bytes, place: bytes) -> os.stat_result | None:
        """The stat result of a link's target; None if it dangles."""
        if not (place + b"/").startswith(self.boundary.rstrip(b"/") + b"/"):
            message = "the chart's link {path} leads out of the project"
            hint = "copy its target into the project"
            raise input_error("input_link_outside", path, message, hint)
        return _lstat(place, path)


def _lstat(place: bytes, path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(place)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise unreadable(path, exc) from exc
