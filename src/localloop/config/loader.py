"""YAML text → nodes that know their position.

It works on the parser's events, because PyYAML's own loader hides tags, anchors and duplicate keys,
which are refused here. A plain scalar becomes a boolean, null, an integer or a float only if it can
be written back as it was: ``0o17``, ``00215e6``, ``1234e56``, ``1.10``, ``yes`` and dates stay
strings.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import UsageError

MAX_BYTES = 1 << 20
MAX_DEPTH = 64

_INT = re.compile(r"-?(0|[1-9][0-9]*)\Z", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z", re.ASCII)
_MAX_SAFE_INT = 2**53 - 1  # Helm carries numbers as float64: beyond this the digits would change
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


class Node:
    """A YAML value with its position (both numbers count from 1).

    ``value`` is a scalar, a ``list[Node]`` or a ``dict[str, Node]``; ``raw`` the text of a scalar
    as written; ``keys`` the positions of a mapping's keys.
    """

    __slots__ = ("column", "keys", "line", "raw", "value")

    def __init__(self, value: Any, line: int, column: int, raw: str | None = None) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.raw = raw
        self.keys: dict[str, tuple[int, int]] = {}

    def get(self, *path: str | int) -> Node | None:
        """The node at ``path`` (keys and indexes) below this one, or None."""
        node = self
        for step in path:
            value = node.value
            found = (isinstance(value, dict) and step in value) or (
                isinstance(value, list) and isinstance(step, int) and step < len(value)
            )
            if not found:
                return None
            node = value[step]
        return node

    def plain(self) -> Any:
        """The value as plain data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def error(name: str, line: int, column: int, message: str, hint: str | None = None) -> UsageError:
    """A configuration error at a position in the file ``name``, for the caller to raise."""
    return UsageError("config_invalid", message, where=f"{name}:{line}:{column}", hint=hint)


def resolve_plain(text: str) -> Any:
    """The value of a plain (unquoted) scalar: None, a boolean, a number or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        # The length is checked first: Python refuses to parse very long integers.
        if text == "-0" or len(text) > 17 or abs(int(text)) > _MAX_SAFE_INT:
            return text
        return int(text)
    if _FLOAT.match(text) and repr(float(text)) == text:
        return float(text)
    return text


def load(data: bytes, name: str) -> Node:
    """Parse one document; error messages call it ``name``.

    Raises UsageError (``config_invalid``).
    """
    import yaml

    if len(data) > MAX_BYTES:
        raise UsageError("config_invalid", "the file is larger than 1 MiB", where=name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        column = exc.start - (data.rfind(b"\n", 0, exc.start) + 1) + 1
        raise error(name, line, column, "the file is not valid UTF-8") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(yaml, yaml.parse(text, Loader=loader), name).document()
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else _control(text, exc)
        problem = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "not valid YAML"
        raise error(name, line, column, f"not valid YAML: {problem}") from None


def _control(text: str, exc: Exception) -> tuple[int, int]:
    position = getattr(exc, "position", None)
    if not isinstance(position, int):
        return 1, 1
    before = text[:position]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


class _Builder:
    """Events → nodes, by plain recursion: the depth is limited."""

    def __init__(self, yaml: Any, events: Any, name: str) -> None:
        self.yaml = yaml
        self.events = events
        self.name = name

    def document(self) -> Node:
        yaml = self.yaml
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.refuse(event, "a second YAML document: only one is allowed")
                root = self.node(next(self.events), 1)
        return root if root is not None else Node(None, 1, 1)

    def refuse(self, event: Any, message: str, hint: str | None = None) -> UsageError:
        mark = event.start_mark
        return error(self.name, mark.line + 1, mark.column + 1, message, hint)

    def node(self, event: Any, depth: int) -> Node:
        yaml = self.yaml
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(event, "aliases (*name) are not allowed")
        if event.anchor is not None:
            raise self.refuse(event, "anchors (&name) are not allowed")
        if event.tag is not None:
            raise self.refuse(
                event, f"tags are not allowed: {event.tag}", "quote the value instead"
            )
        if depth > MAX_DEPTH:
            raise self.refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        mark = event.start_mark
        node = Node(None, mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style in (None, "")
            node.value = resolve_plain(event.value) if plain else event.value
            node.raw = event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            items = []
            for item in iter(self.events.__next__, None):
                if isinstance(item, yaml.SequenceEndEvent):
                    break
                items.append(self.node(item, depth + 1))
            node.value = items
        else:
            self.mapping(node, depth)
        return node

    def mapping(self, node: Node, depth: int) -> None:
        yaml = self.yaml
        values: dict[str, Node] = {}
        for key in iter(self.events.__next__, None):
            if isinstance(key, yaml.MappingEndEvent):
                break
            name = self.key(key)
            if name in values:
                first = node.keys[name][0]
                raise self.refuse(key, f"duplicate key {name!r} (first on line {first})")
            node.keys[name] = (key.start_mark.line + 1, key.start_mark.column + 1)
            values[name] = self.node(next(self.events), depth + 1)
        node.value = values

    def key(self, event: Any) -> str:
        if not isinstance(event, self.yaml.ScalarEvent):
            if isinstance(event, self.yaml.AliasEvent):
                raise self.refuse(event, "aliases (*name) are not allowed")
            raise self.refuse(event, "a key must be a string")
        self.node(event, 1)  # refuses tags and anchors
        name: str = event.value
        if event.style in (None, ""):
            if name == "<<":
                raise self.refuse(event, "merge keys (<<) are not allowed")
            if not isinstance(resolve_plain(name), str):
                raise self.refuse(event, f"a key must be a string: {name}", f'write "{name}"')
        return name
