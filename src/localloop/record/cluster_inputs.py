"""The fingerprint of ``cluster.inputs`` that a cluster was made for, noted in the cluster itself.

It is an annotation on namespace ``localloop``, one for each project that shares the cluster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..cluster import owner
from ..events import Emit
from ..fingerprint.components import Fingerprint
from ..fingerprint.explain import explain, load_manifest, save_manifest, summary_of
from ..kube.client import ApiError, Kube
from ..kube.objects import ObjectRef
from ..session import Session
from .model import NAMESPACE
from .store import ensure_namespace

BOOTSTRAPPED = "bootstrapped"
ACCEPTED = "accepted"


@dataclass(frozen=True)
class Noted:
    """``state`` is ``bootstrapped`` if the cluster was made with these inputs, else ``accepted``.

    ``fingerprint`` is empty if the project declared none; ``transaction`` is the id of the run.
    """

    fingerprint: str
    state: str
    transaction: str


def annotation(project: str) -> str:
    """The annotation's name."""
    return f"cluster-inputs.localloop/{project}"


def load(kube: Kube, project: str) -> Noted | None:
    """What is noted for a project; None if nothing is, or it cannot be read. One GET."""
    found = kube.get(f"/api/v1/namespaces/{NAMESPACE}") or {}
    text = (found.get("metadata", {}).get("annotations") or {}).get(annotation(project), "")
    try:
        return Noted(**json.loads(text))
    except (ValueError, TypeError):
        return None


def save(kube: Kube, project: str, noted: Noted) -> None:
    """Note it in the cluster; the namespace is created if it is missing."""
    text = json.dumps(asdict(noted), sort_keys=True)
    patch = {"metadata": {"annotations": {annotation(project): text}}}
    namespace = ObjectRef("v1", "Namespace", "", NAMESPACE)
    try:
        kube.patch(namespace, patch)
    except ApiError as error:
        if error.status != 404:
            raise
        ensure_namespace(kube)
        kube.patch(namespace, patch)


def wanted(session: Session, state: str, transaction: str) -> Noted:
    """What to note of the inputs as they are now."""
    current = session.fingerprints.of_cluster
    return Noted(current.value if current else "", state, transaction)


def note(session: Session, noted: Noted, emit: Emit, *, recreated: bool = False) -> None:
    """Note it in the cluster and in the journal; ``recreated``: the cluster replaced another."""
    if session.fingerprints.of_cluster is not None:
        save_manifest(session.project.root, session.fingerprints.of_cluster)
    save(session.kube, session.project.name, noted)
    emit({"event": "cluster_record", **asdict(noted), "recreated": recreated})


def accept(session: Session, cluster: Mapping[str, str], transaction: str, emit: Emit) -> None:
    """Note inputs, and what the cluster lacks, as accepted, if the verdict of the plan says so.

    Called after a successful run.
    """
    if cluster.get("lacks"):
        owner.accept(session.cluster_name, session.cluster.lacks)
    noted = wanted(session, ACCEPTED, transaction)
    if cluster.get("inputs") == "accept" and cluster["inputs_current"] == noted.fingerprint:
        note(session, noted, emit)
    elif session.fingerprints.of_cluster is not None:
        save_manifest(session.project.root, session.fingerprints.of_cluster)


def what_changed(session: Session, previous: str, current: Fingerprint) -> str:
    """The changed paths in a few words; the patterns if the previous inputs are not kept here."""
    changes = explain(load_manifest(session.project.root, previous), current)
    return summary_of(changes) or f"one of {', '.join(session.project.cluster.inputs)}"
