"""Versions of tools, asked once for each binary."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def known_version(cache: Path, key: str, ask: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
    """The version that ``cache`` keeps under ``key``, else what ``ask`` says, which is then kept.

    ``key`` is a text that differs for another binary; with an empty one nothing is kept. What
    ``ask`` raises is passed on.
    """
    try:
        known = json.loads(cache.read_text())
        if key and known["key"] == key:
            return tuple(map(int, known["version"]))
    except (OSError, ValueError, TypeError, KeyError):
        pass  # not known yet
    version = ask()
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps({"key": key, "version": version}))
    except OSError:
        pass  # it is asked again next time
    return version
