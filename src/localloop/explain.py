"""Why a fingerprint differs: kept manifests and their comparison."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError
from .fingerprint import Fingerprint
from .statcache import cache_dir, write_atomically

KEPT = 64
_FIRST = 5


def save_manifest(root: Path, fingerprint: Fingerprint) -> None:
    """Keep a fingerprint's manifest and facts; not being able to is no error."""
    data = {
        "fingerprint": fingerprint.value,
        "manifest": fingerprint.manifest,
        "facts": fingerprint.facts,
    }
    with contextlib.suppress(OSError, UsageError):
        directory = cache_dir(root, "manifests")
        path = directory / f"{fingerprint.value[:16]}.json"
        if path.exists():
            return
        write_atomically(path, json.dumps(data, separators=(",", ":")).encode("ascii"))
        kept = sorted(directory.glob("*.json"), key=lambda item: item.stat().st_mtime_ns)
        for old in kept[:-KEPT]:
            old.unlink()


def load_manifest(root: Path, value: str) -> dict[str, Any] | None:
    """What ``save_manifest`` kept for a fingerprint (its first 16 digits do), or None."""
    if not re.fullmatch(r"[0-9a-f]{16,64}", value):
        return None
    path = root / ".cache" / "localloop" / "manifests" / f"{value[:16]}.json"
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    right = isinstance(data, dict) and isinstance(data.get("manifest"), dict)
    return data if right and str(data.get("fingerprint")).startswith(value) else None


def explain(previous: Mapping[str, Any] | None, current: Fingerprint) -> dict[str, Any]:
    """What differs from a loaded manifest: counts, first names, facts.

    ``known`` is False where there is nothing to compare with.
    """
    if previous is None:
        empty: dict[str, Any] = {"count": 0, "first": []}
        return {
            "known": False,
            "added": empty,
            "changed": empty,
            "removed": empty,
            "facts_changed": [],
        }
    before, now = previous["manifest"], current.manifest
    facts = previous.get("facts", {})
    changed = [name for name in now if name in before and before[name] != now[name]]
    return {
        "known": True,
        "added": _some([name for name in now if name not in before]),
        "changed": _some(changed),
        "removed": _some([name for name in before if name not in now]),
        "facts_changed": sorted(
            key
            for key in {*facts, *current.facts}
            if facts.get(key) != json.loads(json.dumps(current.facts.get(key)))
        ),
    }


def _some(names: list[str]) -> dict[str, Any]:
    return {"count": len(names), "first": sorted(names)[:_FIRST]}
