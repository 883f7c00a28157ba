"""What is observed about node files: fingerprints, files on the nodes, pods that use them."""

from __future__ import annotations

from dataclasses import replace

from ..cluster import nodes
from ..config.model import NodeFile
from ..fingerprint.components import Fingerprint
from ..kube.objects import Object, uid_of
from ..readiness.pod_rule import pod_finished, terminating
from ..record.model import NodeFileEntry, Record
from ..registry.published import PublishedImage
from ..registry.tags import fingerprint_tag
from ..session import Session
from .facts import NodeFileFacts, Request
from .images import changes_since, held, named


def node_file_facts(
    session: Session, name: str, record: Record, wanted: Request, *, new_cluster: bool
) -> NodeFileFacts:
    """The facts about a node file; ``new_cluster``: the plan is for one without any files."""
    file = session.project.node_files[name]
    entry = record.node_files.get(name)
    other, missing = held_on_nodes(session, file, entry)

    def look() -> tuple[Fingerprint, bool, PublishedImage | None]:
        found = session.fingerprints.of_image(file)
        lacking = not _is_put(entry, found) or bool(other or missing) or new_cluster
        published = held(session, name, fingerprint_tag(found.value)) if lacking else None
        return found, lacking, published

    found, lacking, published = look()
    if (named(name, wanted) or (lacking and published is None)) and session.fingerprints.pull_bases(
        file
    ):
        found, lacking, published = look()
    facts = NodeFileFacts(
        fingerprint=found.value,
        published=published,
        lost=lacking and published is None and _is_put(entry, found),
        warnings=found.warnings,
        untracked=found.untracked,
        other=other,
        missing=missing,
        mode=file.reconcile.mode if file.reconcile else "none",
        timeout=file.reconcile.timeout if file.reconcile else 0.0,
    )
    if entry is None:
        return facts
    if entry.fingerprint != found.value:
        facts = replace(facts, changes=changes_since(session, entry.fingerprint, found))
    if entry.put and not entry.reconciled:
        users = {uid_of(pod) for pod in pods_of(session, file)}
        facts = replace(facts, pending=len(users & set(entry.pods)))
    return facts


def _is_put(entry: NodeFileEntry | None, found: Fingerprint) -> bool:
    return entry is not None and entry.put and entry.fingerprint == found.value


def held_on_nodes(
    session: Session, file: NodeFile, entry: NodeFileEntry | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The nodes that hold other bytes than the recorded ones, and those without the file.

    Unchanged size, mode and time prove that the file was not touched since it was put. Where they
    differ, its digest and mode decide.
    """
    other, missing = [], []
    for node in session.nodes:
        seen = nodes.stat(session.docker, node, file.dest)
        noted = entry.nodes.get(node) if entry else None
        if seen is None:
            missing.append(node)
        elif entry is None or (
            seen != noted
            and (
                noted is None
                or seen["mode"] != noted["mode"]
                or nodes.digest(session.docker, node, file.dest) != entry.sha256
            )
        ):
            other.append(node)
    return tuple(other), tuple(missing)


def pods_of(session: Session, file: NodeFile) -> list[Object]:
    """The pods that use the file: selected, and neither terminating nor finished."""
    if file.reconcile is None:
        return []
    pods, _ = session.kube.list(
        "v1", "Pod", file.reconcile.namespace, label_selector=file.reconcile.selector
    )
    return [pod for pod in pods if not terminating(pod) and not pod_finished(pod)]
