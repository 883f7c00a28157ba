"""Releases that are not in the configuration: of other projects, and left behind by this one."""

from __future__ import annotations

from collections.abc import Iterable

from ..config.model import Project
from ..helm.releases import PROJECT_LABEL, Release, all_releases
from ..kube.client import Kube
from ..record.model import NAMESPACE


def others_on(kube: Kube, project: str) -> list[str]:
    """Records and Helm releases of others, sorted: ``project x``, ``release ns/name``."""
    records, _ = kube.list(
        "v1", "Secret", NAMESPACE, label_selector=PROJECT_LABEL, metadata_only=True
    )
    names = {
        f"project {record['metadata']['name']}"
        for record in records
        if record["metadata"]["name"] != project
    }
    names |= {
        f"release {release.place}" for release in all_releases(kube) if release.owner != project
    }
    return sorted(names)


def goes_with(kube: Kube) -> list[str]:
    """What is lost with the cluster, sorted: Helm releases, and claims with their data."""
    claims, _ = kube.list("v1", "PersistentVolumeClaim", None, metadata_only=True)
    names = [f"release {release.place}" for release in all_releases(kube)]
    names += [
        f"claim {claim['metadata']['namespace']}/{claim['metadata']['name']}" for claim in claims
    ]
    return sorted(names)


def left_behind(releases: Iterable[Release], project: Project) -> list[Release]:
    """The project's releases that no chart of its configuration stands for (any longer)."""
    named = {chart.place for chart in project.charts.values()}
    return [
        release
        for release in releases
        if release.owner == project.name and release.place not in named
    ]
