"""Navigation over the loaded document, and the values that several sections have."""

from __future__ import annotations

import os.path
import posixpath
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .loader import Node, error


class Reader:
    """A loaded and validated ``localloop.yml``.

    ``node`` is its root, ``path`` its absolute path. Errors name a position in the file.
    """

    def __init__(self, root: Node, path: Path) -> None:
        self.node = root
        self.path = path

    def fail(self, node: Node, message: str, hint: str | None = None) -> UsageError:
        """An error at a value, for the caller to raise."""
        return error(self.path.name, node.line, node.column, message, hint)

    def fail_key(self, parent: Node, key: str, message: str, hint: str | None = None) -> UsageError:
        """An error at a key of a mapping, for the caller to raise."""
        return error(self.path.name, *parent.keys[key], message, hint)

    def items(self, *path: str) -> dict[str, Node]:
        """The items of the mapping at ``path``; empty if the file has none there."""
        node = self.node.get(*path)
        return node.value if node is not None else {}

    @staticmethod
    def plain(node: Node | None) -> dict[str, Any]:
        """A mapping as plain data; empty if there is none."""
        return node.plain() if node is not None else {}

    @staticmethod
    def args(node: Node | None) -> dict[str, str]:
        """A mapping of scalars as text, each as it was written."""
        return {key: item.raw or "" for key, item in node.value.items()} if node else {}

    def relative(self, node: Node, *, patterns: bool = False) -> str:
        """A path inside the project, normalised; with ``patterns`` it is kept as written.

        Raises UsageError if it is absolute, empty or leaves the project.
        """
        text: str = node.value
        body = text.removeprefix("!") if patterns else text
        if body.startswith(("/", "~")):
            raise self.fail(node, f"{text!r} must be relative to the project")
        if ".." in body.split("/"):
            raise self.fail(node, f"{text!r} must stay inside the project: '..' is not allowed")
        if not body.strip():
            raise self.fail(node, f"{text!r} is an empty path")
        return text if patterns else posixpath.normpath(text)

    def anywhere(self, node: Node, text: str | None = None) -> Path:
        """A path that may lie outside the project: absolute, ``~/…`` or relative to it.

        ``text``: the path, if it is only a part of the node. The result is absolute and normalised,
        with its links. Raises UsageError for the home directory of an unknown user.
        """
        text = node.value if text is None else text
        try:
            expanded = Path(text).expanduser()
        except RuntimeError:
            raise self.fail(node, f"{text!r}: there is no such home directory") from None
        return Path(os.path.normpath(self.path.parent / expanded))

    def paths(self, node: Node | None, *, patterns: bool = False) -> tuple[str, ...]:
        """The paths of a list, each as ``relative`` reads it; empty if there is no list."""
        if node is None:
            return ()
        return tuple(self.relative(item, patterns=patterns) for item in node.value)
