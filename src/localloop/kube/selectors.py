"""Label selectors as text (``app=web,tier in (a,b),!legacy``), evaluated locally."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SET = re.compile(r"^([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)$")
_EQUAL = re.compile(r"^([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)$")
_EXISTS = re.compile(r"^(!?)\s*([^\s!=,()]+)$")
_COMMA = re.compile(r",(?![^()]*\))")


def matches(selector: str, labels: Mapping[str, str] | None) -> bool:
    """Whether labels satisfy a selector, by the rules of Kubernetes' ``labels.Parse``.

    An empty selector matches everything. Raises ``ValueError`` for text that is not a selector.
    """
    labels = labels or {}
    if not selector.strip():
        return True
    return all(_satisfied(part.strip(), labels) for part in _COMMA.split(selector))


def _satisfied(requirement: str, labels: Mapping[str, str]) -> bool:
    if found := _SET.match(requirement):
        name, operator, values = found.groups()
        allowed = {value.strip() for value in values.split(",")}
        inside = name in labels and labels[name] in allowed
        return inside if operator == "in" else not inside
    if found := _EQUAL.match(requirement):
        name, operator, value = found.groups()
        equal = labels.get(name) == value
        return not equal if operator == "!=" else equal
    if found := _EXISTS.match(requirement):
        absent, name = found.groups()
        return (name not in labels) if absent else (name in labels)
    raise ValueError(f"not a label selector: {requirement!r}")


def selects(match_labels: Mapping[str, str], labels: Mapping[str, str] | None) -> bool:
    """Whether a plain label map (a Service's selector) selects these labels."""
    labels = labels or {}
    return all(labels.get(name) == value for name, value in match_labels.items())
