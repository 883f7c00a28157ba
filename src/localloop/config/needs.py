"""``needs``: the components that have to come before another one."""

from __future__ import annotations

from collections.abc import Mapping

from .model import Chart, Image
from .reader import Reader
from .validate import near


def check_needs(
    reader: Reader,
    kind: str,
    components: Mapping[str, Image | Chart],
    known: Mapping[str, Image | Chart],
    what: str,
) -> None:
    """Check what ``components``, the ones under ``kind`` in the file, need.

    ``known`` are those that may be needed; messages call them ``what`` (``an image``). Raises
    UsageError for a need that is not among them, and for a circle.
    """
    for name, component in components.items():
        for index, need in enumerate(component.needs):
            node = reader.node.get(kind, name, "needs", index) or reader.node
            if need not in known:
                message = f"{name} needs {need!r}, which is not {what}"
                raise reader.fail(node, message, near(need, list(known)))
            if _reaches(known, need, name):
                raise reader.fail(node, f"{name} and {need} need each other")


def _reaches(known: Mapping[str, Image | Chart], start: str, goal: str) -> bool:
    stack, seen = [start], set()
    while stack:
        name = stack.pop()
        if name == goal:
            return True
        if name not in seen and name in known:
            seen.add(name)
            stack += known[name].needs
    return False
