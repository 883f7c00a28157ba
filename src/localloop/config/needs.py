"""``needs``: components that come before another one; they exist, and none needs itself."""

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
    """Refuse needs of ``components`` (``kind`` of the file) that are not among the known ones.

    ``what`` those are is said in words (``an image``).
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
