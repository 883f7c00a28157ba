"""Other tools' YAML → nodes that know their position, with anchors, aliases and merge keys.

Scalars become values as in ``localloop.yml``: what could not be written back as it was stays text.
"""

from __future__ import annotations

from typing import Any

from .loader import MAX_DEPTH, Node, error, resolve_plain


def load_tree(data: bytes, name: str) -> Node:
    """Parse one document; error messages call it ``name``. An alias is the node that it names.

    Raises UsageError (``config_invalid``).
    """
    import yaml

    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loader = loader_class(data)
        try:
            root = loader.get_single_node()
            return _Tree(loader, name).node(root) if root is not None else Node(None, 1, 1)
        finally:
            loader.dispose()
    except RecursionError:  # PyYAML without its C parts has no limit of its own
        raise error(name, 1, 1, "nested too deeply") from None
    except (yaml.YAMLError, UnicodeError) as exc:
        mark = getattr(exc, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "not valid YAML"
        raise error(name, line, column, f"not valid YAML: {problem}") from None


class _Tree:
    """PyYAML's nodes → ours."""

    def __init__(self, loader: Any, name: str) -> None:
        self.loader = loader
        self.name = name
        self.known: dict[int, Node] = {}

    def node(self, found: Any, depth: int = 1) -> Node:
        if id(found) in self.known:  # an alias
            return self.known[id(found)]
        line, column = found.start_mark.line + 1, found.start_mark.column + 1
        if depth > MAX_DEPTH:
            raise error(self.name, line, column, f"nested deeper than {MAX_DEPTH} levels")
        node = Node(None, line, column)
        if found.id == "scalar":
            plain = found.style in (None, "")
            node.value = resolve_plain(found.value) if plain else found.value
            node.raw = found.value
        elif found.id == "sequence":
            node.value = [self.node(item, depth + 1) for item in found.value]
        else:
            self.mapping(node, found, depth)
        self.known[id(found)] = node
        return node

    def mapping(self, node: Node, found: Any, depth: int) -> None:
        for key, _ in found.value:
            name, line, column = self.key(key)
            if name in node.keys:
                raise error(self.name, line, column, f"duplicate key {name!r}")
            node.keys[name] = (line, column)
        self.loader.flatten_mapping(found)
        node.value = {}
        for key, value in found.value:  # what a merge key brings comes first: the rest wins
            name, *position = self.key(key)
            node.keys.setdefault(name, (position[0], position[1]))
            node.value[name] = self.node(value, depth + 1)

    def key(self, found: Any) -> tuple[str, int, int]:
        line, column = found.start_mark.line + 1, found.start_mark.column + 1
        if found.id != "scalar":
            raise error(self.name, line, column, "a key must be a string")
        return found.value, line, column
