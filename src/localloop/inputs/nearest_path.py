"""The path that a path which does not exist may be meant to be."""

from __future__ import annotations

import difflib
import os

from .names import path_text


def nearest_path(root: bytes, path: bytes) -> str:
    """`` (did you mean …?)`` for the first part of a path below ``root`` that does not exist."""
    place = b""
    for part in path.split(b"/"):
        below = os.path.join(root, place)  # noqa: PTH118
        if not os.path.lexists(os.path.join(below, part)):  # noqa: PTH118
            names = [path_text(name) for name in _names(below)]
            near = difflib.get_close_matches(path_text(part), names, 1)
            rest = path[len(place) + len(part) + (1 if place else 0) :]
            parts = [path_text(place), near[0] + path_text(rest)] if near else []
            return f" (did you mean {'/'.join(filter(None, parts))}?)" if near else ""
        place = place + b"/" + part if place else part
    return ""


def _names(directory: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208
    except OSError:
        return []
