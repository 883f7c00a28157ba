"""A first install that failed. Helm would upgrade it, and so never run the chart's install hooks.

It is therefore uninstalled and installed again, unless that could lose something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..config.model import Chart
from ..errors import LocalloopError
from ..helm import manifest
from ..helm.live import LiveRelease, read_live
from ..helm.releases import Release, revisions
from ..kube.client import Kube
from ..kube.fields import map_at, maps_at
from ..kube.objects import Object, uid_of
from .immutable import EXPENDABLE, Immutable, remove

_INSTALL_EVENTS = ("pre-install", "post-install")
# Helm calls a revision that was deployed "superseded" once there is a newer one.
_DEPLOYED = ("deployed", "superseded")


def failed_install(kube: Kube, chart: Chart, newest: Release) -> LiveRelease | None:
    """The release's newest revision, if it failed and no revision of it was ever deployed."""
    if newest.status != "failed":
        return None
    every = revisions(kube, chart.namespace, [chart.release])
    if any(each.status in _DEPLOYED for each in every):
        return None
    return read_live(kube, newest)


def may_go(kube: Kube, chart: Chart, left: LiveRelease) -> bool:
    """Whether it can be uninstalled without a loss; if not, an upgrade must do.

    Raises ``first_install_failed`` where an upgrade would not do either, because the chart has
    install hooks.
    """
    losses = list(_losses(kube, chart, left))
    events = {event for hook in left.stored.hooks for event in hook.events}
    if losses and events & set(_INSTALL_EVENTS):
        raise LocalloopError(
            f"first_install_failed:{chart.name}",
            f"the first install of {left.release.place} failed. Its install hooks run only if it is"
            f" installed anew, but uninstalling it could lose data: {'; '.join(losses)}",
            component=chart.name,
            hint=f"If that may be lost: {left.release.removal}. Then run the deploy again.",
        )
    return not losses


def remove_hooks(kube: Kube, left: LiveRelease) -> None:
    """Delete the Jobs and Pods that its hooks left; Helm may not, and then fails over them.

    Raises ``not_deleted``.
    """
    for hook in left.stored.hooks:
        for obj in manifest.parse(hook.manifest, left.release.namespace) if hook.phase else ():
            ref = manifest.located(obj, namespaced=True)
            if (ref.group, ref.kind) in EXPENDABLE and (live := kube.read(ref)) is not None:
                remove(kube, Immutable(ref, uid_of(live), ()))


def _losses(kube: Kube, chart: Chart, left: LiveRelease) -> Iterator[str]:
    """What an uninstall could lose, in words."""
    kept = [*chart.generate, *chart.keep_values]
    if kept:
        yield f"it keeps the values of {', '.join(kept)}"
    hooks = [
        obj
        for hook in left.stored.hooks
        for obj in manifest.parse(hook.manifest, left.release.namespace)
    ]
    for claim in _claims(kube, [*left.objects.values(), *hooks]):
        yield f"it made PersistentVolumeClaim {claim}"


def _claims(kube: Kube, objects: Iterable[Object]) -> Iterator[str]:
    """The claims that exist of those that these objects are, or have made."""
    for obj in objects:
        name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
        if obj["kind"] == "PersistentVolumeClaim":
            yield from (each for each in _names(kube, namespace) if each == name)
        elif obj["kind"] == "Namespace":
            yield from _names(kube, name)
        elif obj["kind"] == "StatefulSet":
            templates = maps_at(obj, "spec", "volumeClaimTemplates")
            own = tuple(f"{map_at(each, 'metadata').get('name')}-{name}-" for each in templates)
            yield from (each for each in _names(kube, namespace) if own and each.startswith(own))


def _names(kube: Kube, namespace: str) -> list[str]:
    claims, _ = kube.list("v1", "PersistentVolumeClaim", namespace, metadata_only=True)
    return [str(claim["metadata"]["name"]) for claim in claims]
