"""Plans for replacing a cluster: what is built before, and what is deployed after. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .model import ON_A_NEW_CLUSTER, ComponentPlan, Plan, Reason, Step

_BUILDING: tuple[Step, ...] = ("build", "publish")
_DEPLOYING: dict[str, tuple[Step, ...]] = {"node_file": ("put",), "chart": ("release",)}


def on_a_new_cluster(components: Mapping[str, ComponentPlan]) -> dict[str, ComponentPlan]:
    """What was planned for the old cluster, changed for a new one, which has nothing yet.

    Builds stay as they are, because the registry stays.
    """
    return {
        name: part if part.kind == "image" else _deployed_first(part)
        for name, part in components.items()
    }


def _deployed_first(part: ComponentPlan) -> ComponentPlan:
    building = tuple(step for step in part.steps if step in _BUILDING)
    return replace(
        part,
        steps=building + _DEPLOYING[part.kind],
        reasons=tuple(dict.fromkeys((*(part.reasons if building else ()), ON_A_NEW_CLUSTER))),
        skip="",
        deployed={},
        base_revision=0,
        only_if_digest_differs=False,
    )


def with_built(plan: Plan, built: Plan) -> Plan:
    """The plan made on the new cluster, with what this run built before it removed the old one."""
    components = dict(plan.components)
    built_parts = built.with_step("build")
    for part in built_parts:
        now = components[part.name]
        components[part.name] = replace(
            now,
            steps=_BUILDING + tuple(step for step in now.steps if step not in _BUILDING),
            reasons=tuple(dict.fromkeys(part.reasons + now.reasons)),
            skip="",
            previous=part.previous,
            changes=part.changes,
            image=part.image,
            changed=part.changed,
            moved=part.moved,
        )
    for chart in plan.with_step("release"):
        used = {
            part.name: part.image
            for part in built_parts
            if part.name in chart.consumes and part.image is not None
        }
        reasons = chart.reasons + tuple(Reason("consumes", name) for name in used)
        components[chart.name] = replace(
            chart,
            reasons=tuple(dict.fromkeys(reasons)),
            images={**chart.images, **used},
            only_if_digest_differs=False,
        )
    return replace(plan, components=components)
