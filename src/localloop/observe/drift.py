"""Whether a live object is still what the API server makes of its manifest."""

from __future__ import annotations

from ..helm.differences import differences
from ..kube.client import ApiError, Kube
from ..kube.fields import map_at
from ..kube.objects import Object, ObjectRef

# Helm's own field manager: under another one, nothing that Helm set could go away.
_HELM = "helm"


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
            field_manager=_HELM,
            force=True,
            dry_run=True,
        )
    except ApiError:  # a field that cannot be changed; a webhook that has no dry runs
        return fields
    return differences(applied, live)
