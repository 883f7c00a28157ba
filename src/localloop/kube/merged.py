"""Several kubeconfig files as one: for each name the first file that defines it, as kubectl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.yaml_tree import load_tree
from ..errors import UsageError

_SECTIONS = {"contexts": "context", "clusters": "cluster", "users": "user"}


@dataclass(frozen=True)
class Entry:
    """One named entry: its content, and the file that it stands in."""

    body: dict[str, Any]
    file: Path

    def path(self, text: str) -> Path:
        """A path of this entry; it is relative to the entry's file."""
        return self.file.parent / text


@dataclass(frozen=True)
class Chosen:
    """A context with its cluster and its user, which is empty where the context names none."""

    context: Entry
    cluster: Entry
    user: Entry


def choose(paths: Sequence[Path], context: str) -> Chosen:
    """A context from kubeconfig files.

    Where a name stands for different things in several files, all three have to be of one file:
    one cluster's server never gets another's credentials. Raises UsageError:
    ``kubeconfig_missing``, ``kubeconfig_invalid``, ``kubeconfig_ambiguous``, ``context_missing``.
    """
    merged = _Merged(paths)
    entry = merged.context(context)
    found = {
        section: merged.part(section, entry.body.get(key), context)
        for section, key in (("clusters", "cluster"), ("users", "user"))
    }
    cluster, user = found["clusters"], found["users"] or Entry({}, entry.file)
    if cluster is None:
        raise invalid(merged.where, f"context {context!r} names no cluster")
    if {cluster.file, user.file} != {entry.file}:
        for section, key in (("clusters", "cluster"), ("users", "user")):
            merged.require_one(section, entry.body.get(key), context)
    return Chosen(entry, cluster, user)


def invalid(where: str | None, message: str) -> UsageError:
    """The refusal of a kubeconfig that kubectl could not use either."""
    return UsageError("kubeconfig_invalid", message, where=where)


class _Merged:
    def __init__(self, paths: Sequence[Path]) -> None:
        self.where = ":".join(map(str, paths))
        self._current = ""
        self._entries: dict[str, dict[str, list[Entry]]] = {section: {} for section in _SECTIONS}
        documents = [(path, _parse(path)) for path in paths]
        if all(document is None for _, document in documents):
            raise UsageError(
                "kubeconfig_missing",
                "the kubeconfig does not exist",
                where=self.where or "(none given)",
                hint="Name an existing file: cluster: {kubeconfig: FILE} in localloop.yml.",
            )
        for path, document in documents:
            self._add(path, document or {})
        if not any(self._entries.values()):
            raise invalid(self.where, "the kubeconfig is empty")

    def _add(self, path: Path, document: dict[str, Any]) -> None:
        self._current = self._current or str(document.get("current-context") or "")
        for section, key in _SECTIONS.items():
            items = document.get(section) or []
            if not isinstance(items, list):
                raise invalid(str(path), f"{section!r} is not a list")
            names = set()
            for item in items:
                name = item.get("name") if isinstance(item, dict) else None
                if not isinstance(name, str):
                    raise invalid(str(path), f"an entry of {section!r} has no name")
                if name in names:
                    raise invalid(str(path), f"{key} {name!r} is defined twice")
                names.add(name)
                body = item.get(key) or {}
                if not isinstance(body, dict):
                    raise invalid(str(path), f"{key} {name!r} is not a mapping")
                self._entries[section].setdefault(name, []).append(Entry(body, path))

    def context(self, name: str) -> Entry:
        found = self._entries["contexts"]
        if name in found:
            return found[name][0]
        if not name:
            raise UsageError(
                "context_missing",
                "no context is named; the current one is never used unasked",
                where=self.where,
                hint=f"Name one: cluster: {{context: {self._current or 'NAME'}}} in localloop.yml.",
            )
        from difflib import get_close_matches

        near = get_close_matches(name, found, 1, 0.5)
        raise UsageError(
            "context_missing",
            f"no context {name!r} in the kubeconfig",
            where=self.where,
            hint=f"did you mean {near[0]!r}?"
            if near
            else f"there are: {', '.join(found) or 'none'}",
        )

    def part(self, section: str, name: Any, context: str) -> Entry | None:
        if not name:
            return None
        found = self._entries[section].get(str(name))
        if not found:
            what = f"context {context!r} refers to {_SECTIONS[section]} {name!r}"
            raise invalid(self.where, f"{what}, which does not exist")
        return found[0]

    def require_one(self, section: str, name: Any, context: str) -> None:
        first, *others = self._entries[section].get(str(name), [Entry({}, Path())])
        for other in others:
            if other.body != first.body or other.file.parent != first.file.parent:
                raise UsageError(
                    "kubeconfig_ambiguous",
                    f"context {context!r} refers to {_SECTIONS[section]} {name!r}, which"
                    f" {first.file} and {other.file} define differently",
                    hint="Name one file: cluster: {kubeconfig: FILE} in localloop.yml;"
                    " or rename one of the two.",
                )


def _parse(path: Path) -> dict[str, Any] | None:
    """The content of one file; None if there is none."""
    try:
        document = load_tree(path.read_bytes(), str(path)).plain()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            "kubeconfig_missing", f"cannot read it: {error.strerror}", where=str(path)
        ) from error
    except UsageError as error:
        raise UsageError("kubeconfig_invalid", error.message, where=error.where) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise invalid(str(path), "not a kubeconfig: it is not a mapping")
    if document.get("kind", "Config") != "Config":
        raise invalid(str(path), f"not a kubeconfig: its kind is {document['kind']!r}")
    return document
