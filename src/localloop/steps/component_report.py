"""Report one component of a run: whether it changed, what was done and why."""

from __future__ import annotations

from typing import Any

from ..plan.summary import component_summary, reason_text
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "component": {"type": "str", "required": True},
    "plan": {"type": "dict", "required": True},
}

# Steps that leave the component as it is.
_QUIET = {"settle"}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Say what a run did to one component, and why.

    Takes ``component`` (its name) and ``plan`` as the last step returned it.
    Returns ``changed``, ``msg``, ``steps``, ``reasons``, ``skip`` and ``diff``. In check mode
    ``changed`` is whether the run would change the component.

    Raises:
        Nothing: a component that is not in the plan has no steps.
    """
    name = params["component"]
    part = (params["plan"].get("components") or {}).get(name)
    if part is None:
        return {"changed": False, "msg": f"{name} is not in this plan", "steps": [], "reasons": []}
    steps = list(part.get("steps", ()))
    foreseen = bool(set(steps) - _QUIET) or _to_a_new_cluster(params["plan"], name)
    return {
        "changed": foreseen if context.check else bool(part.get("changed")),
        "msg": component_summary(part),
        "steps": steps,
        "reasons": [reason_text(reason) for reason in part.get("reasons", ())],
        "skip": part.get("skip", ""),
        "diff": {
            "before_header": name,
            "after_header": f"{name}: {component_summary(part)}",
            "before": _state(
                part.get("previous", ""),
                part.get("deployed") or {},
                (part.get("file") or {}).get("deployed"),
            )
            + "".join(f"{what}\n" for what in part.get("removes", ())),
            "after": _state(
                part.get("fingerprint", ""),
                _target(part),
                (part.get("file") or {}).get("sha256"),
            ),
        },
    }


def _to_a_new_cluster(plan: dict[str, Any], name: str) -> bool:
    """Whether it will be deployed once the cluster exists; until then it has no steps."""
    targets = plan.get("targets") or (name,)
    return name in targets and plan.get("cluster", {}).get("verdict") == "create"


def _target(part: dict[str, Any]) -> dict[str, Any]:
    image = part.get("image")
    own = {part.get("name", "image"): image} if image else {}
    return {**own, **(part.get("images") or {})}


def _state(fingerprint: str, images: dict[str, Any], sha256: str | None) -> str:
    lines = [f"fingerprint: {fingerprint}"] if fingerprint else []
    lines += [f"sha256: {sha256}"] if sha256 else []
    lines += [f"image {name}: {image.get('digest', '')}" for name, image in sorted(images.items())]
    return "".join(f"{line}\n" for line in lines)
