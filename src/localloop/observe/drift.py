"""Whether a live object is still what its manifest's owner put there, and whose doing it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..helm.additions import additions, restarted_at
from ..helm.differences import differences
from ..kube.client import ApiError, Kube
from ..kube.fields import map_at
from ..kube.kinds import WORKLOADS
from ..kube.managed_fields import helm_manager, owned_fields, written
from ..kube.objects import Object, ObjectRef, group_of

# The name of Helm's field manager, if the object does not say it: under another one, nothing that
# Helm set could go away.
_HELM = "helm"


@dataclass(frozen=True)
class Drift:
    """``fields``: what a release has to put right. ``left``: what it is not to touch, as text."""

    fields: tuple[str, ...]
    left: tuple[str, ...]


def drift_of(
    kube: Kube, ref: ObjectRef, wanted: Object, live: Object, noted: Mapping[str, Any]
) -> Drift:
    """How a live object differs from its manifest, and what people added to it by hand.

    A field that only a controller owns (replicas under a HorizontalPodAutoscaler, an injected CA
    bundle; of a workload's spec nothing but its scale) is left, and so is a restart by ``kubectl
    rollout restart``. ``noted``: the record's note of the object, with what was there ``by_hand``
    when Helm was done, by the chart's hooks.
    Raises ``ApiUnreachable``.
    """
    owners = _controllers(live)
    fields, left = [], []
    for field in drifted_fields(kube, ref, wanted, live):
        if owner := _only_owner(owners, field):
            left.append(f"{field} is left as {owner} set it, which is not what the chart says")
        else:
            fields.append(field)
    hooks = _texts(noted.get("by_hand"))
    fields += [each.field for each in additions(wanted, live) if each.field not in hooks]
    if moment := restarted_at(live):
        left.append(f"was restarted by hand at {moment}, which is left as it is")
    return Drift(tuple(dict.fromkeys(fields)), tuple(left))


def unnoted(drift: Drift, noted: Mapping[str, Any]) -> list[str]:
    """What is left alone and has not been told yet."""
    return [text for text in drift.left if text not in _texts(noted.get("left"))]


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _controllers(live: Object) -> dict[str, str]:
    """The fields of an object that have an owner: by field that one; empty where it is not a
    controller alone.
    """
    workload = live["kind"] in WORKLOADS and group_of(live["apiVersion"]) == "apps"
    found: dict[str, str] = {}
    for owned in owned_fields(live):
        ours = owned.by_hand or owned.by_helm
        for path in written(owned.tree, live):
            field = path.removeprefix("metadata.")
            # Of a workload's spec only the scale is meant to be another one's: its pods are ours.
            kept = workload and _inside(field, "spec") and owned.subresource != "scale"
            owner = "" if ours or kept else owned.manager
            found[field] = owner if found.get(field, owner) == owner else ""
    return found


def _only_owner(owners: Mapping[str, str], field: str) -> str:
    """The controller that owns a field, or all that it consists of; empty if there is none."""
    found = {
        owner
        for each, owner in owners.items()
        if each == field or _inside(each, field) or _inside(field, each)
    }
    return found.pop() if len(found) == 1 else ""


def _inside(field: str, other: str) -> bool:
    return field.startswith((f"{other}.", f"{other}["))


def drifted_fields(kube: Kube, ref: ObjectRef, wanted: Object, live: Object) -> list[str]:
    """The paths of fields that applying the manifest again would change.

    What looks different may only be the server's way to write it (defaults, pruned fields, base64):
    the server itself is asked, by a dry run. Raises ``ApiUnreachable``.
    """
    fields = differences(wanted, live)
    if not fields:
        return []
    metadata = {
        key: value
        for key, value in map_at(wanted, "metadata").items()
        if key in ("name", "labels", "annotations")
    }
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    try:
        applied = kube.patch(
            ref,
            {**wanted, "metadata": metadata},
            strategy="apply",
            field_manager=helm_manager(live, _HELM),
            force=True,
            dry_run=True,
        )
    except ApiError:  # a field that cannot be changed; a webhook that has no dry runs
        return fields
    return differences(applied, live)
