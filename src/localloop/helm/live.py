"""The live revision of a release: read once after each call of Helm, then passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..config.model import Chart
from ..errors import LocalloopError
from ..kube.client import ApiError, Kube
from ..kube.objects import Object, ObjectRef
from . import manifest
from .releases import Release, Stored, releases, stored


@dataclass(frozen=True)
class LiveRelease:
    """The newest revision of a release, what Helm stored for it, and the objects of its manifest.

    ``objects`` are those of the manifest, by their reference in the cluster.
    """

    release: Release
    stored: Stored
    objects: Mapping[ObjectRef, Object]

    @property
    def revision(self) -> int:
        """The number that Helm gave it."""
        return self.release.revision


def read_live(kube: Kube, release: Release) -> LiveRelease:
    """Read a revision that was listed: one GET, and discovery of kinds that are not built in.

    Raises ``release_gone`` or ``release_undecodable``.
    """
    found = stored(kube, release)
    return LiveRelease(release, found, _objects(kube, found.manifest, release.namespace))


def newest(kube: Kube, chart: Chart) -> Release | None:
    """The newest revision of a chart's release, by its metadata alone; None if there is none."""
    return releases(kube, chart.namespace, [chart.release]).get(chart.release)


def live_release(kube: Kube, chart: Chart) -> LiveRelease:
    """The live revision of a release that must exist; raises ``release_gone`` otherwise."""
    found = newest(kube, chart)
    if found is None:
        raise LocalloopError(
            "release_gone", f"Helm has no release {chart.release}", component=chart.name
        )
    return read_live(kube, found)


def revision_after(kube: Kube, chart: Chart, base_revision: int | None) -> LiveRelease | None:
    """The revision that a failed Helm left behind; None if it made none after ``base_revision``."""
    found = newest(kube, chart)
    if found is None or found.revision == base_revision:
        return None
    return read_live(kube, found)


def _objects(kube: Kube, text: str, namespace: str) -> dict[ObjectRef, Object]:
    found = {}
    for obj in manifest.parse(text, namespace):
        try:
            namespaced = kube.namespaced(obj["apiVersion"], obj["kind"])
        except ApiError as error:
            if error.status != 404:
                raise
            namespaced = True  # the server does not know the kind, so there is no such object
        found[manifest.located(obj, namespaced=namespaced)] = obj
    return found
