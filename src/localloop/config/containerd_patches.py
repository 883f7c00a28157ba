"""What a kind file's patches of containerd make of the registries that its nodes pull from.

Every node finds registries, and localloop's own among them, by the ``hosts.toml`` files in
``CERTS``. containerd loads no CRI plugin, so that no node ever gets ready, where its configuration
has the older ``registry.mirrors`` or ``registry.configs.HOST.tls`` beside that.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import UsageError
from . import loader
from .loader import Node
from .model import CERTS

MERGED, OPERATIONS = "containerdConfigPatches", "containerdConfigPatchesJSON6902"
# The names of the plugin in containerd's configuration of version 2 and of version 3.
PLUGINS = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images")

Table = dict[str, Any]


def refuse_unusable_patches(root: Node, name: str) -> None:
    """Refuse patches of containerd that cannot be read or with which no node would get ready.

    ``root`` is a kind file, already validated; ``name`` is the file in messages. They are applied
    as kind does, to the part of a node's configuration that matters here. Raises ``UsageError``
    (``config_invalid``).
    """
    patched: Table = {
        "plugins": {plugin: {"registry": {"config_path": CERTS}} for plugin in PLUGINS}
    }
    for key, applied in ((MERGED, _merged), (OPERATIONS, _operated)):
        patches = root.get(key)
        for number, patch in enumerate(patches.value if patches else ()):
            try:
                patched = applied(patched, patch.value)
            except (ValueError, RecursionError) as exc:
                raise _refusal(name, patch, f"{key}[{number}] cannot be read: {exc}") from exc
            except (TypeError, KeyError, AttributeError) as exc:
                message = f"{key}[{number}] is no list of operations, each with an op and a path"
                raise _refusal(name, patch, message) from exc
            for problem, hint in _problems(patched):
                raise _refusal(name, patch, f"{key}[{number}] {problem}", hint)


def _refusal(name: str, patch: Node, message: str, hint: str | None = None) -> UsageError:
    return loader.error(name, patch.line, patch.column, message, hint)


def _merged(table: Table, patch: str) -> Table:
    """The table with a patch in TOML merged into it."""
    import tomllib

    return _merge(table, tomllib.loads(patch))


def _merge(table: Table, patch: Table) -> Table:
    both = dict(table)
    for key, value in patch.items():
        old = both.get(key)
        inner = old if isinstance(old, dict) else {}
        both[key] = _merge(inner, value) if isinstance(value, dict) else value
    return both


def _operated(table: Table, patch: str) -> Table:
    """The table after the operations of a JSON patch (RFC 6902).

    What they refer to may be missing here, because a node's configuration has more than this.
    """
    document: Table = {"": copy.deepcopy(table)}
    for operation in json.loads(patch):
        op, path = operation["op"], _steps(operation["path"])
        if op in ("add", "replace"):
            _set(document, path, operation.get("value"))
        elif op in ("copy", "move"):
            source = _steps(operation["from"])
            _set(document, path, copy.deepcopy(_get(document, source)))
            if op == "move":
                _remove(document, source)
        elif op == "remove":
            _remove(document, path)
    patched = document.get("")
    return patched if isinstance(patched, dict) else {}


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]


def _set(document: Table, path: list[str], value: Any) -> None:
    for step in path[:-1]:
        document = document.setdefault(step, {})
        if not isinstance(document, dict):
            return  # a list: none of those here has one
    document[path[-1]] = value


def _get(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    return {} if document is None else document


def _remove(document: Table, path: list[str]) -> None:
    parent = _get(document, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)


def _problems(patched: Table) -> Iterator[tuple[str, str]]:
    """What is wrong with a node's configuration, each with what to write instead."""
    for plugin in PLUGINS:
        registry = _of(_get(patched, ["plugins", plugin]), "registry")
        where = f'plugins."{plugin}".registry'
        mirrors = _of(registry, "mirrors")
        if isinstance(mirrors, dict) and mirrors:
            yield _clash(f"{where}.mirrors", mirrors)
        configs = _of(registry, "configs")
        tls = [host for host, each in _items(configs) if _of(each, "tls") is not None]
        if tls:
            yield _clash(f"{where}.configs.HOST.tls", tls)
        if CERTS not in str(_of(registry, "config_path")).split(":"):
            yield (
                f"takes {CERTS} out of {where}.config_path, where the nodes find the project's"
                " registry",
                f'Leave config_path as it is, or write config_path = "{CERTS}".',
            )


def _clash(what: str, hosts: Iterable[str]) -> tuple[str, str]:
    named = list(hosts)
    return (
        f"sets {what} ({', '.join(named)}): containerd refuses that beside the config_path that"
        " every node has, so no node would get ready",
        "Take it out, write a hosts.toml for each registry instead, and mount its directory on the"
        f" nodes (extraMounts, containerPath: {CERTS}/{named[0]}).",
    )


def _of(part: Any, key: str) -> Any:
    """The value of one of containerd's own keys, which it finds in whatever case."""
    found: Any = None
    for name, value in _items(part):
        if name.lower() == key:
            tables = isinstance(found, dict) and isinstance(value, dict)
            found = _merge(found, value) if tables else value
    return found


def _items(part: Any) -> Iterable[tuple[str, Any]]:
    return part.items() if isinstance(part, dict) else ()
