"""What people added by hand to a live object that its manifest does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.fields import as_map
from ..kube.managed_fields import MISSING, Owned, Path, Tree, at, child, owned_fields
from ..kube.objects import Object
from .differences import as_stored

_RESTARTED = "kubectl.kubernetes.io/restartedAt"
# Set by hand these mean nothing: Helm's own marks (set to adopt an object), a controller's count.
_QUIET = ("app.kubernetes.io/managed-by", "meta.helm.sh/", "deployment.kubernetes.io/revision")


@dataclass(frozen=True)
class Addition:
    """``path``: its place in managedFields; ``field``: the field as it is shown."""

    path: Path
    field: str


def additions(wanted: Object, live: Object) -> list[Addition]:
    """The fields that a person's client owns, nobody else does, and the manifest does not set.

    Of metadata labels and annotations count. ``kubectl rollout restart`` adds nothing: see
    ``restarted_at``.
    """
    owners = owned_fields(live)
    others = [owned.tree for owned in owners if not owned.by_hand]
    stored = as_stored(wanted)
    found: dict[Path, Addition] = {}
    for owned in owners:
        if owned.by_hand:
            tree = _that_counts(owned, live)
            for each in _added(tree, stored, live, others, Addition((), "")):
                found.setdefault(each.path, each)
    return list(found.values())


def _that_counts(owned: Owned, live: Object) -> Tree:
    """A manager's fields without the status; only metadata where its API version is another."""
    metadata = as_map(owned.tree.get("f:metadata"))
    kept = {key: metadata[key] for key in ("f:labels", "f:annotations") if key in metadata}
    found = {"f:metadata": kept} if kept else {}
    if owned.api_version == live.get("apiVersion"):
        others = owned.tree.keys() - {"f:metadata", "f:status"}
        found |= {key: owned.tree[key] for key in sorted(others)}
    return found


def _added(
    tree: Any, wanted: Any, live: Any, others: Sequence[Tree], above: Addition
) -> Iterator[Addition]:
    for key, below in as_map(tree).items():
        value, name, _ = child(live, key)
        if key == "." or value is MISSING or _is_quiet(key):
            continue
        field = f"{above.field}{name}".removeprefix(".").removeprefix("metadata.")
        here = Addition((*above.path, key), field)
        in_manifest, _, _ = child(wanted, key)
        inner = {each: tree for each, tree in as_map(below).items() if each != "."}
        exists = not inner or "." in as_map(below)
        claimed = any(_claims(each, here.path) for each in others)
        if in_manifest is MISSING and exists and not claimed and not _has_quiet(inner):
            yield here
        elif inner:
            yield from _added(inner, in_manifest, value, others, here)
        elif isinstance(value, dict) and isinstance(in_manifest, dict) and not claimed:
            # Owned as a whole, like a Service's selector: whatever else it has was added.
            for extra in sorted(value.keys() - in_manifest.keys(), key=str)[:1]:
                yield Addition(here.path, f"{field}.{extra}")


def _claims(tree: Tree, path: Path) -> bool:
    """Whether a manager has a field, or made an entry of a list."""
    found = at(tree, path)
    return "." in as_map(found) if path[-1].startswith("k:") else found is not None


def _is_quiet(key: str) -> bool:
    return key == f"f:{_RESTARTED}" or key.removeprefix("f:").startswith(_QUIET)


def _has_quiet(tree: Any) -> bool:
    return any(_is_quiet(key) or _has_quiet(below) for key, below in as_map(tree).items())


def restarted_at(live: Object) -> str:
    """When ``kubectl rollout restart`` was last asked for; empty if it was not."""
    found: Any = live
    for key in ("spec", "template", "metadata", "annotations"):
        found = as_map(found).get(key)
    value = as_map(found).get(_RESTARTED)
    return value if isinstance(value, str) else ""
