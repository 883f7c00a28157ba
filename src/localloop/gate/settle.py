"""Settle the record: what passed the gate is written down as what the cluster runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..cluster.identity import cluster_uid, pin
from ..errors import BusyError, LocalloopError
from ..events import Emit
from ..fingerprint.explain import save_manifest
from ..helm.live import live_release
from ..kube.objects import ObjectRef
from ..observe.charts import note_late, since_noted
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
    record, and ``LocalloopError`` (``changed_by_hand``) if somebody changed an object since Helm
    made it.
    """
    remember_inputs(session)
    remember_cluster(session)
    store = RecordStore(session.kube, session.project.name)
    before = store.load()
    record = with_images(before, plan).on_nodes(set(session.nodes))
    record = _as_noted(session, plan, record, emit)
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


def _as_noted(session: Session, plan: Plan, record: Record, emit: Emit) -> Record:
    """The record, with new versions of objects that only moved since they were noted.

    Raises ``changed_by_hand`` if one was changed meanwhile: then the cluster does not run this
    tree, however ready it is (it may have been scaled to 0).
    """
    for part in plan.components.values():
        entry = record.charts.get(part.name)
        if part.kind != "chart" or not part.steps or entry is None or not entry.target.revision:
            continue
        since = since_noted(session, part.name, entry.target)
        _refuse_changed(part.name, since.changed)
        for text in since.left:
            emit({"event": "progress", "component": part.name, "step": "settle", "text": text})
        if since.versions:
            objects = {**entry.target.objects, **since.versions}
            record = record.note(part.name, replace(entry.target, objects=objects))
    return record


def _refuse_changed(name: str, changed: Sequence[str]) -> None:
    if changed:
        raise LocalloopError(
            f"changed_by_hand:{name}",
            f"somebody changed it while it was deployed: {'; '.join(changed)}",
            component=name,
            hint="Run the deploy again: it puts this right.",
        )


def _settled(session: Session, record: Record, name: str, completed: frozenset[str]) -> Record:
    entry = record.charts.get(name)
    if entry is None:
        raise BusyError(
            "record_moved",
            f"the record no longer knows {name}: another run changed it",
            hint="Run again, so that the plan is made from what runs now.",
        )
    if not entry.target.revision:
        live = live_release(session.kube, session.project.charts[name])
        known = replace(entry.target, completed_jobs=tuple(sorted(completed)))
        target, changed = note_late(session, known, live)
        _refuse_changed(name, changed)
        entry = replace(entry, target=target)
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
    pin(session.pin, cluster_uid(session.kube))


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
