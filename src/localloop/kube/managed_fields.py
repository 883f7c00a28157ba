"""Who set which fields of a live object, as its ``managedFields`` say.

Paths are tuples of their keys: ``f:NAME`` is a field, ``k:{…}`` the entry of a list with these
keys, ``v:…`` an entry with this value. Whatever is not of that shape says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .fields import annotations_of, as_map, labels_of, maps_at

Path = tuple[str, ...]
Tree = Mapping[str, Any]

# Clients that people use by hand. Everything else is a controller, or what Helm applied.
_BY_HAND = re.compile(
    r"(kubectl|oc)([-.\d].*)?|k9s|curl|Wget|Mozilla|node-fetch|(Open)?Lens|freelens|headlamp.*"
    r"|dashboard.*"
)
_HELM = re.compile(r"(?i)helm.*|localloop|before-first-apply")
_APPLIED_BY_HELM = ("f:metadata", "f:annotations", "f:meta.helm.sh/release-name")
_DEEPEST = 100  # levels of a tree, and brackets in a key; what is deeper says nothing
# Fields that an entry of a list may leave out although they are part of its key.
_KEY_DEFAULTS = {"protocol": "TCP"}
MISSING = object()
"""Where an object has nothing at a key."""


@dataclass(frozen=True)
class Owned:
    """What one manager owns, through which version of the API and which subresource."""

    manager: str
    api_version: str
    tree: Tree
    subresource: str = ""

    @property
    def by_hand(self) -> bool:
        """Whether a person did it, as far as the manager's name tells."""
        return _BY_HAND.fullmatch(self.manager) is not None

    @property
    def by_helm(self) -> bool:
        """Whether it is Helm's (or ours), or from before there were managers.

        Helm names its manager after its program, which may have any name: it is known by its mark.
        """
        if self.by_hand:
            return False
        marked = at(self.tree, _APPLIED_BY_HELM) is not None
        return marked or _HELM.fullmatch(self.manager) is not None


def owned_fields(live: Any) -> list[Owned]:
    """What each manager owns outside of the status."""
    return [owned for owned in _owned(live) if not _is_deep(owned.tree)]


def _owned(live: Any) -> list[Owned]:
    return [
        Owned(
            text(entry.get("manager")),
            text(entry.get("apiVersion")),
            tree,
            text(entry.get("subresource")),
        )
        for entry in maps_at(live, "metadata", "managedFields")
        if entry.get("subresource") != "status" and (tree := as_map(entry.get("fieldsV1")))
    ]


def _is_deep(tree: Any, left: int = _DEEPEST) -> bool:
    below = as_map(tree).values()
    return bool(below) and (not left or any(_is_deep(each, left - 1) for each in below))


def helm_manager(live: Any, otherwise: str) -> str:
    """The field manager under which Helm applied an object on the server; or the other name."""
    for entry in maps_at(live, "metadata", "managedFields"):
        marked = at(entry.get("fieldsV1"), _APPLIED_BY_HELM) is not None
        name = text(entry.get("manager"))
        if marked and entry.get("operation") == "Apply" and not _BY_HAND.fullmatch(name):
            return name or otherwise
    return otherwise


def text(value: Any) -> str:
    """The text, or an empty one for anything else."""
    return value if isinstance(value, str) else ""


def touched_by_hand(live: Any) -> bool:
    """Whether a person's client owns anything of it."""
    return any(owned.by_hand for owned in _owned(live))


def metadata_digest(live: Any) -> str:
    """A short digest of the labels and annotations, without those that only controllers own."""
    owners = _owned(live)
    kept: dict[str, dict[str, str]] = {}
    for field, values in (("labels", labels_of(live)), ("annotations", annotations_of(live))):
        where = ("f:metadata", f"f:{field}")
        ours, others = (
            {
                key
                for owned in owners
                if (owned.by_hand or owned.by_helm) is mine
                for key in as_map(at(owned.tree, where))
            }
            for mine in (True, False)
        )
        left_out = {key.removeprefix("f:") for key in others - ours}
        kept[field] = {key: value for key, value in values.items() if key not in left_out}
    return sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def at(tree: Any, path: Path) -> Any:
    """What the tree has at a path; None if it has nothing there."""
    for key in path:
        tree = as_map(tree).get(key)
    return tree


def child(value: Any, key: str) -> tuple[Any, str, str]:
    """The value at one key of a path, and how the key is written, by name and by position.

    The value is ``MISSING`` where there is none.
    """
    kind, _, rest = key.partition(":")
    if kind == "f":
        found = as_map(value).get(rest)
        return (MISSING if found is None else found), f".{rest}", f".{rest}"
    wanted = _parsed(rest)
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        if _is_entry(kind, entry, wanted, index):
            name = as_map(wanted).get("name", index) if kind == "k" else index
            return entry, f"[{name}]", f"[{index}]"
    return MISSING, f"[{rest}]", f"[{rest}]"


def _parsed(rest: str) -> Any:
    if rest.count("[") + rest.count("{") > _DEEPEST:
        return MISSING
    try:
        return json.loads(rest)
    except ValueError:
        return MISSING


def _is_entry(kind: str, entry: Any, wanted: Any, index: int) -> bool:
    if kind == "k" and isinstance(wanted, dict) and isinstance(entry, Mapping):
        return all(entry.get(key, _KEY_DEFAULTS.get(key)) == value for key, value in wanted.items())
    return (kind == "v" and entry == wanted) or (kind == "i" and index == wanted)


def written(tree: Any, live: Any, prefixes: tuple[str, ...] = ("",)) -> Iterator[str]:
    """The fields that a tree ends in, as text; entries of lists by name and by position."""
    for key, below in as_map(tree).items():
        if key == ".":
            continue
        value, *names = child(live, key)
        paths = tuple(f"{prefix}{name}" for prefix in prefixes for name in dict.fromkeys(names))
        if any(each != "." for each in as_map(below)):
            yield from written(below, value, paths)
        else:
            yield from (path.removeprefix(".") for path in paths)


# -- moving fields from one manager to another ------------------------------------------------


def handed_over(live: Any, paths: Iterable[Path], to: str) -> list[dict[str, Any]]:
    """The managedFields with these paths of people's clients given to ``to``, as if it had applied
    them: its next server-side apply takes away those that it does not have.
    """
    wanted = list(paths)
    kept: list[dict[str, Any]] = []
    given: dict[str, Any] = {}
    for entry in maps_at(live, "metadata", "managedFields"):
        tree = as_map(entry.get("fieldsV1"))
        by_hand = _BY_HAND.fullmatch(text(entry.get("manager"))) is not None
        if not by_hand or entry.get("subresource") == "status" or _is_deep(tree):
            kept.append(dict(entry))
            continue
        for path in wanted:
            if (below := at(tree, path)) is not None:
                given = _merged(given, _under(path, below))
                tree = _without(tree, path)
        if tree:
            kept.append({**entry, "fieldsV1": tree})
    return _applied(live, kept, given, to) if given else kept


def with_applied(live: Any, fields: Mapping[Path, Any], by: str) -> list[dict[str, Any]]:
    """The managedFields with these fields, by path, as if ``by`` had applied their values."""
    given: dict[str, Any] = {}
    for path, value in fields.items():
        given = _merged(given, _under(path, _tree_of(value)))
    return _applied(
        live, [dict(each) for each in maps_at(live, "metadata", "managedFields")], given, by
    )


def _applied(
    live: Any, entries: list[dict[str, Any]], given: Tree, by: str
) -> list[dict[str, Any]]:
    for entry in entries:
        if entry.get("manager") == by and entry.get("operation") == "Apply":
            entry["fieldsV1"] = _merged(as_map(entry.get("fieldsV1")), given)
            return entries
    version = as_map(live).get("apiVersion")
    applied = {"manager": by, "operation": "Apply", "apiVersion": version}
    return [*entries, {**applied, "fieldsType": "FieldsV1", "fieldsV1": given}]


def _tree_of(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {".": {}, **{f"f:{name}": _tree_of(below) for name, below in value.items()}}


def _under(path: Path, tree: Any) -> Any:
    for key in reversed(path):
        tree = {key: tree}
    return tree


def _merged(one: Tree, other: Tree) -> dict[str, Any]:
    found = dict(one)
    for key, below in other.items():
        found[key] = _merged(as_map(found.get(key)), as_map(below))
    return found


def _without(tree: Tree, path: Path) -> dict[str, Any]:
    """The tree without what is at a path, and without what is empty then."""
    key, *rest = path
    left = {name: below for name, below in tree.items() if name != key}
    if rest and (below := _without(as_map(tree.get(key)), tuple(rest))):
        return {**left, key: below}
    return left
