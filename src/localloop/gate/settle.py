"""Settle the record: what passed the gate is written down as what the cluster runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..cluster.identity import cluster_uid, pin
from ..errors import BusyError
from ..events import Emit
from ..fingerprint.explain import save_manifest
from ..helm.live import live_release
from ..kube.objects import ObjectRef
from ..observe.charts import note_late
from ..observe.gather import pin_of
from ..plan.compare import SAME
from ..plan.model import Plan
from ..record.model import ChartEntry, ImageEntry, Record
from ..record.store import RecordStore
from ..session import Session


def completed_jobs(gate: Mapping[str, Any]) -> frozenset[str]:
    """The Jobs that a gate (as data) saw complete: if a TTL deletes them, that is no drift."""
    return frozenset(
        entry["ref"]
        for entry in gate.get("objects", ())
        if entry["state"] == "ready" and ObjectRef.parse(entry["ref"]).key[:2] == ("batch", "Job")
    )


def settle(session: Session, plan: Plan, emit: Emit, completed: frozenset[str]) -> bool:
    """Write what the gate has proven into the record; returns whether anything was written.

    ``completed``: the references of Jobs that completed. Also keeps the inputs' manifests and pins
    the cluster's identity. Raises ``BusyError`` (``record_moved``) if another run changed the
    record.
    """
    remember_inputs(session)
    remember_cluster(session)
    store = RecordStore(session.kube, session.project.name)
    before = store.load()
    record = with_images(before, plan).on_nodes(set(session.nodes))
    settled = {part.name for part in plan.components.values() if part.steps and not part.moved}
    for part in plan.components.values():
        if part.kind == "chart" and part.steps:
            record = _settled(session, record, part.name, completed)
        elif part.kind == "node_file" and part.skip == SAME and not part.moved:
            # Other inputs gave the same bytes, so that these inputs are deployed too.
            same = replace(record.node_files[part.name], fingerprint=part.fingerprint)
            record = record.with_file(part.name, same)
            settled.add(part.name)
    settled |= {name for name, image in record.images.items() if before.images.get(name) != image}
    if settled:
        emit({"event": "settled", "components": sorted(settled)})
    if record == before:
        return False
    store.save(record)
    return True


def _settled(session: Session, record: Record, name: str, completed: frozenset[str]) -> Record:
    entry = record.charts.get(name)
    if entry is None:
        raise BusyError(
            "record_moved",
            f"the record no longer knows {name}: another run changed it",
            hint="Run again, so that the plan is made from what runs now.",
        )
    if not entry.target.revision:
        entry = noted_late(session, name, entry)
    jobs = tuple(sorted(completed & set(entry.target.objects)))
    return record.settle(name, replace(entry.target, completed_jobs=jobs))


def save_object_versions(
    session: Session, new_versions: dict[str, dict[str, dict[str, object]]]
) -> None:
    """Record the new generations of objects whose fields are still those of the manifest."""
    store = RecordStore(session.kube, session.project.name)
    record = store.load()
    for name, notes in new_versions.items():
        entry = record.charts.get(name)
        if entry is not None and entry.state == "settled":
            objects = {**entry.target.objects, **notes}
            record = record.settle(name, replace(entry.target, objects=objects))
    store.save(record)


def remember_cluster(session: Session) -> None:
    """Pin the cluster's identity after a successful deploy."""
    pin(pin_of(session), cluster_uid(session.kube))


def remember_inputs(session: Session) -> None:
    """Keep the manifests of the inputs, so that a later plan can name what changed."""
    for image in session.project.builds.values():
        save_manifest(session.project.root, session.fingerprints.of_image(image))
    for chart in session.project.charts.values():
        save_manifest(session.project.root, session.fingerprints.of_chart(chart))


def with_images(record: Record, plan: Plan) -> Record:
    """The record with the images that this plan found or built, without those that moved."""
    images = dict(record.images)
    for part in plan.components.values():
        if part.kind != "image" or part.image is None or part.skip == "not_targeted":
            continue
        if part.moved:
            images.pop(part.name, None)
        else:
            images[part.name] = ImageEntry(part.fingerprint, part.image)
    return replace(record, images=images)


def noted_late(session: Session, name: str, entry: ChartEntry) -> ChartEntry:
    """An entry completed now, because its run was killed before it could note what Helm made."""
    live = live_release(session.kube, session.project.charts[name])
    state, _ = note_late(session, entry.target, live)
    return replace(entry, target=state)
