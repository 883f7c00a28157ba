"""A plan in few words, from its plain data: which components take a step, and why in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .model import STEPS, UNCHECKED, Plan


def components_with_step(plan: Any, step: str) -> list[str]:
    """The names of the components that take ``step``, in the plan's order.

    ``plan`` is a plan as data, ``step`` one of ``STEPS``. Raises ``UsageError`` for anything else.
    """
    components = plan.get("components") if isinstance(plan, Mapping) else None
    if not isinstance(components, Mapping):
        raise UsageError("unexpected_data", "not a plan: it has no components")
    taken = {name: _steps(part, str(name)) for name, part in components.items()}
    if step not in STEPS:
        raise UsageError(
            "unexpected_data", f"{step!r} is not a step", hint=f"Steps: {', '.join(STEPS)}."
        )
    return [name for name, steps in taken.items() if step in steps]


def component_summary(component: Any) -> str:
    """``build, publish: inputs_changed (src/main.rs)`` or ``skip: unchanged``.

    ``unchecked: inputs_changed (src/main.rs)`` where the cluster could not be asked. ``component``
    is one component of a plan as data; ``UsageError`` for anything else.
    """
    steps = _steps(component)
    if component.get("skip") == UNCHECKED:
        steps = [UNCHECKED]
    if not steps:
        return f"skip: {component.get('skip') or 'nothing to do'}"
    reasons = "; ".join(reason_text(reason) for reason in _list(component, "reasons"))
    return f"{', '.join(steps)}: {reasons}" if reasons else ", ".join(steps)


def images_text(plan: Plan) -> str:
    """How the plan's images reach the nodes: ``load (the cluster names no registry, …)``."""
    route = plan.route
    through = f" {route.push}" if route.push else ""
    through += f", on the nodes {route.pull}" if route.pull not in ("", route.push) else ""
    return f"{route.name}{through} ({route.why})"


def cluster_text(plan: Plan) -> str:
    """Which cluster the plan is for, and why it was chosen."""
    found = plan.provider
    return f"{found['name']}, context {found['context']} ({found['why']})" if found else ""


def _steps(component: Any, name: str | None = None) -> list[str]:
    """The steps of a component as data; ``UsageError`` if it is not one."""
    if not isinstance(component, Mapping) or not {"steps", "skip"} & set(component):
        raise UsageError(
            "unexpected_data",
            "not a component of a plan: it has neither steps nor skip",
            component=name,
        )
    return [str(step) for step in _list(component, "steps", name)]


def _list(component: Mapping[str, Any], key: str, name: str | None = None) -> list[Any]:
    value = component.get(key) or []
    if not isinstance(value, list | tuple):
        raise UsageError(
            "unexpected_data",
            f"not a component of a plan: its {key} are {value!r}, not a list",
            component=name,
        )
    return list(value)


def reason_text(reason: Any) -> str:
    """A reason as data in words: ``inputs_changed (src/main.rs)``."""
    if not isinstance(reason, Mapping):
        return str(reason)
    detail = reason.get("detail")
    return f"{reason.get('name', '')} ({detail})" if detail else str(reason.get("name", ""))
