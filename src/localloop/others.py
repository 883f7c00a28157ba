"""Whatever else is deployed on a cluster: what its removal would take from somebody."""

from __future__ import annotations

from .kube.client import Kube
from .record import NAMESPACE, PROJECT_LABEL


def others_on(kube: Kube, project: str) -> list[str]:
    """Other projects' records and Helm releases, sorted: ``project x``, ``release ns/name``."""
    records, _ = kube.list(
        "v1", "Secret", NAMESPACE, label_selector=PROJECT_LABEL, metadata_only=True
    )
    releases, _ = kube.list("v1", "Secret", label_selector="owner=helm", metadata_only=True)
    names = {
        f"project {record['metadata']['name']}"
        for record in records
        if record["metadata"]["name"] != project
    }
    names |= {
        f"release {release['metadata']['namespace']}/{release['metadata']['labels'].get('name')}"
        for release in releases
        if release["metadata"]["labels"].get(PROJECT_LABEL) != project
    }
    return sorted(names)
