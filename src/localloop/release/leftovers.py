"""What Helm leaves behind when it uninstalls a release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from ..config.model import Chart, Project
from ..errors import LocalloopError
from ..helm import manifest
from ..helm.command import Helm
from ..helm.crds import other_release, read_crds, to_apply
from ..helm.dependencies import chart_source
from ..helm.live import LiveRelease
from ..kube.client import ApiError, Kube
from ..kube.fields import annotations_of, map_at, maps_at
from ..kube.objects import ObjectRef
from ..readiness.pod_rule import terminating

_KEEP = "helm.sh/resource-policy"

Left = dict[ObjectRef, str]
"""Objects that may stay, each with the reason in words."""


def may_stay(kube: Kube, runner: Helm, project: Project, chart: Chart, live: LiveRelease) -> Left:
    """What an uninstall of a live release leaves, if it is there at all; changes nothing.

    Those are objects that ask for it, claims of StatefulSets, what hooks have made, and what the
    chart has in ``crds/``. Raises ``LocalloopError``.
    """
    left: Left = dict(_kept(live))
    left |= _claims(kube, live)
    left |= _hook_objects(kube, live)
    with suppress(LocalloopError):  # a chart that is not to be had, or does not render
        left |= _definitions(kube, runner, project, chart, live)
    return left


def that_stayed(kube: Kube, left: Left) -> Iterator[str]:
    """Those of ``left`` that are still there, in words; what cannot be read is left out."""
    for ref, why in left.items():
        with suppress(LocalloopError):
            found = kube.read(ref)
            if found is not None and not terminating(found):
                yield f"{ref.kind} {ref.name} stays ({why})"


def _kept(live: LiveRelease) -> Iterator[tuple[ObjectRef, str]]:
    for ref, obj in live.objects.items():
        if annotations_of(obj).get(_KEEP, "").strip().lower() == "keep":
            yield ref, f"{_KEEP}: keep"


def _claims(kube: Kube, live: LiveRelease) -> Left:
    """The claims by which StatefulSets keep their data, unless they are to go with them."""
    claims: Left = {}
    for ref, obj in live.objects.items():
        policy = map_at(obj, "spec", "persistentVolumeClaimRetentionPolicy")
        templates = maps_at(obj, "spec", "volumeClaimTemplates")
        if ref.kind != "StatefulSet" or not templates or policy.get("whenDeleted") == "Delete":
            continue
        names = "|".join(re.escape(str(map_at(each, "metadata").get("name"))) for each in templates)
        theirs = re.compile(rf"(?:{names})-{re.escape(ref.name)}-\d+")
        found, _ = kube.list("v1", "PersistentVolumeClaim", ref.namespace, metadata_only=True)
        for name in (each["metadata"]["name"] for each in found):
            if theirs.fullmatch(name):
                claim = ObjectRef("v1", "PersistentVolumeClaim", ref.namespace, name)
                claims[claim] = f"of StatefulSet {ref.name}"
    return claims


def _hook_objects(kube: Kube, live: LiveRelease) -> Left:
    """What hooks are and have not deleted; a Job with a time to live goes by itself."""
    left: Left = {}
    for hook in live.stored.hooks:
        for obj in manifest.parse(hook.manifest, live.release.namespace):
            if map_at(obj, "spec").get("ttlSecondsAfterFinished") is None:
                with suppress(ApiError):  # a kind that the server no longer has
                    namespaced = kube.namespaced(obj["apiVersion"], obj["kind"])
                    left[manifest.located(obj, namespaced=namespaced)] = "made by a hook"
    return left


def _definitions(
    kube: Kube, runner: Helm, project: Project, chart: Chart, live: LiveRelease
) -> Left:
    if not (chart.path or chart.chart):
        return {}
    with chart_source(project, chart, fetches=False) as source:
        written = read_crds(kube, runner, chart, source, values=live.stored.values, values_files=())
    definitions = (to_apply(kube, chart, each)[0] for each in written)
    return {
        ref: "from crds/: with it every object of its kind would go"
        for ref in definitions
        if not other_release(kube.read(ref) or {}, chart)
    }
