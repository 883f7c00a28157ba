"""Why a fingerprint differs: the inputs behind earlier fingerprints are kept and compared."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..inputs.names import one_line
from ..inputs.tree import Tree, decode, differences, encode
from ..system.cache_files import cache_dir, read_checked, write_checked
from .components import Fingerprint

KEPT, KEPT_BYTES = 64, 256 << 20
_KIND = "inputs 2"
_FIRST = 5


@dataclass(frozen=True)
class Kept:
    """The inputs behind an earlier fingerprint."""

    value: str
    profile: str
    facts: dict[str, Any]
    tree: Tree


def save_manifest(root: Path, fingerprint: Fingerprint) -> None:
    """Keep the inputs behind a deployed fingerprint; a failure to write is ignored."""
    with contextlib.suppress(OSError, UsageError):
        directory = cache_dir(root, "manifests")
        path = directory / f"{fingerprint.component}.{fingerprint.value[:16]}"
        if path.exists():
            path.touch()
            return
        head = {
            "fingerprint": fingerprint.value,
            "profile": fingerprint.profile,
            "facts": fingerprint.facts,
        }
        body = json.dumps(head).encode("ascii") + b"\n" + encode(fingerprint.tree)
        write_checked(path, _KIND, body)
        _drop_oldest(directory)


def _drop_oldest(directory: Path) -> None:
    found = [(path.stat(), path) for path in directory.iterdir()]
    room = KEPT_BYTES
    newest_first = sorted(found, key=lambda each: each[0].st_mtime_ns, reverse=True)
    for number, (info, path) in enumerate(newest_first):
        room -= info.st_size
        if number >= KEPT or (room < 0 and number):
            path.unlink()


def load_manifest(root: Path, value: str) -> Kept | None:
    """What ``save_manifest`` kept for a fingerprint (16 digits suffice); None if it is not kept."""
    if not re.fullmatch(r"[0-9a-f]{16,64}", value):
        return None
    for path in _directory(root).glob(f"*.{value[:16]}"):
        found = _read(path)
        if found is not None and found.value.startswith(value):
            return found
    return None


def last_deployed(root: Path, component: str) -> Kept | None:
    """What was kept last for a component, that is what this checkout deployed last."""
    paths = _newest_first(root, component)
    return _read(paths[0]) if paths else None


def last_bases(root: Path, references: Iterable[str]) -> dict[str, str]:
    """The digests of these base images in the newest deployed build that used them."""
    wanted, found = set(references), dict[str, str]()
    for path in _newest_first(root, "*"):
        if not wanted:
            break
        kept = _read(path)
        known = (kept.facts.get("bases") or {}) if kept else {}
        found.update({name: known[name] for name in wanted if known.get(name)})
        wanted -= found.keys()
    return found


def _newest_first(root: Path, component: str) -> list[Path]:
    found = []
    for path in _directory(root).glob(f"{component}.{'[0-9a-f]' * 16}"):
        with contextlib.suppress(OSError):  # another run has just dropped it
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found, reverse=True)]


def _directory(root: Path) -> Path:
    return root / ".cache" / "localloop" / "manifests"


def _read(path: Path) -> Kept | None:
    body = read_checked(path, _KIND)
    if body is None:
        return None
    head, _, tree = body.partition(b"\n")
    found = json.loads(head)
    return Kept(found["fingerprint"], found["profile"], found["facts"], decode(tree))


def explain(previous: Kept | None, current: Fingerprint) -> dict[str, Any]:
    """What differs from what was kept: counts, first names, and facts in words, all printable.

    ``known`` is False if there is nothing to compare with.
    """
    if previous is None:
        nothing: dict[str, Any] = {"count": 0, "first": []}
        return {
            "known": False,
            "added": nothing,
            "changed": nothing,
            "removed": nothing,
            "facts_changed": [],
        }
    files = differences(previous.tree, current.tree)
    return {
        "known": True,
        **{
            word: {"count": len(names), "first": list(map(one_line, names[:_FIRST]))}
            for word, names in files.items()
        },
        "facts_changed": list(map(one_line, _facts(previous, current))),
    }


_WORDS = {
    "schema": "localloop's own rules",
    "dockerfile": "Dockerfile",
    "command": "the command that builds it",
    "ignore": "ignore file",
    "inputs": "which inputs count",
    "file": "the node file's place or mode",
    "release": "release name",
    "values_files": "values files",
    "manifest_files": "manifests",
    "secrets": "which secrets the build gets",
    "ssh": "which SSH agents the build gets",
}


def _facts(previous: Kept, current: Fingerprint) -> Iterator[str]:
    """The facts that differ, by their names in localloop.yml; never a chart's values themselves."""
    before, now = previous.facts, json.loads(json.dumps(current.facts))
    profiles = ""
    if previous.profile != current.profile:
        profiles = f" (profile {previous.profile or 'none'} → {current.profile or 'none'})"
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if key == "args":
            for name in _keys(old, new):
                yield f"build argument {name}{profiles}"
        elif key == "bases":
            yield from (f"base image {reference}" for reference in _keys(old, new))
        elif key == "needs":
            yield from (f"image {name}, which it needs" for name in _keys(old, new))
        elif key == "values":
            yield from (f"value {path}" for path in _paths(old, new))
        elif key in ("target", "platform", "builder", "namespace"):
            yield f"{key} {old or 'none'} → {new or 'none'}"
        else:
            yield _WORDS.get(key, key)


def _keys(old: Any, new: Any) -> list[str]:
    one, two = old or {}, new or {}
    return sorted(key for key in {*one, *two} if one.get(key) != two.get(key))


def _paths(old: Any, new: Any, prefix: str = "") -> Iterator[str]:
    """The dotted paths at which two sets of values differ."""
    for key in _keys(old, new):
        one, two = (old or {}).get(key), (new or {}).get(key)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from _paths(one, two, f"{prefix}{key}.")
        else:
            yield prefix + key


def summary_of(changes: dict[str, Any]) -> str:
    """The result of ``explain`` in a few words: ``changed index.html; build argument MODE``."""
    parts = []
    for word in ("changed", "added", "removed"):
        found = changes.get(word) or {"count": 0, "first": []}
        shown = found["first"][:3]
        if shown:
            more = found["count"] - len(shown)
            parts.append(f"{word} {', '.join(shown)}" + (f" and {more} more" if more else ""))
    parts += [str(fact) for fact in changes.get("facts_changed") or []]
    return "; ".join(parts)
