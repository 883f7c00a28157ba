"""Put node files on every node, noted in the record before and after."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

from ..cluster import nodes
from ..events import Emit
from ..kube.objects import uid_of
from ..observe.node_files import pods_of
from ..plan.model import ComponentPlan, Plan
from ..record.model import NodeFileEntry
from ..record.store import RecordStore, refuse_moved
from ..registry.image_file import read_file
from ..report.journal import Journal
from ..session import Session


def put_files(session: Session, plan: Plan, journal: Journal, emit: Emit) -> Plan:
    """Put what the plan puts; the plan with the results in it.

    Raises ``LocalloopError`` if a file's image is lost or damaged (``registry_lost``,
    ``registry_corrupt``, ``file_not_exported``) or the put fails on a node, and ``BusyError`` if
    the record changed since the plan was made. Files that were put before that stay recorded.
    """
    run = _Puts(session, plan, journal, emit)
    components = dict(plan.components)
    for part in plan.with_step("put"):
        started = time.monotonic()
        components[part.name] = run.put(part)
        duration = time.monotonic() - started
        emit({"event": "span", "name": f"{part.name}_build_deploy", "duration_s": duration})
    return replace(plan, components=components, serial=run.record.serial)


class _Puts:
    """The puts of one plan, each noted in the record before and after."""

    def __init__(self, session: Session, plan: Plan, journal: Journal, emit: Emit) -> None:
        self._session = session
        self._transaction = journal.id
        self._emit = emit
        self._store = RecordStore(session.kube, session.project.name)
        self.record = self._store.load()
        refuse_moved(self.record.serial, plan.serial)

    def put(self, part: ComponentPlan) -> ComponentPlan:
        """Put one file on every node; its part of the plan with the results."""
        session = self._session
        file = session.project.node_files[part.name]
        content = read_file(session.registry, part.name, part.image, file.file)
        entry = NodeFileEntry(
            transaction=self._transaction,
            fingerprint="" if part.moved else part.fingerprint,
            sha256=hashlib.sha256(content).hexdigest(),
            pods=self._pods_to_reconcile(part),
        )
        self._save(part.name, entry)
        for node in session.nodes:
            self._emit(_progress(part.name, f"put {file.dest} on {node}"))
            nodes.put(session.docker, node, file, content)
        # Only now: nodes may share the folder by a mount.
        stats = {node: nodes.require_stat(session.docker, node, file) for node in session.nodes}
        entry = replace(entry, nodes=stats)
        self._save(part.name, replace(entry, put=True, reconciled=not entry.pods))
        result = replace(part.file, sha256=entry.sha256, pending=len(entry.pods))
        return replace(part, file=result, changed=True)

    def _save(self, name: str, entry: NodeFileEntry) -> None:
        self.record = self._store.save(self.record.with_file(name, entry))

    def _pods_to_reconcile(self, part: ComponentPlan) -> tuple[str, ...]:
        """The pods to restart: all that exist, or the pending ones if a node only lost the file."""
        file = self._session.project.node_files[part.name]
        present = {uid_of(pod) for pod in pods_of(self._session, file)}
        before = self.record.node_files.get(part.name)
        if before is not None and [reason.name for reason in part.reasons] == ["node_lost"]:
            present &= set(before.pods)
        return tuple(sorted(present))


def _progress(component: str, text: str) -> dict[str, object]:
    return {"event": "progress", "component": component, "step": "put", "text": text}
