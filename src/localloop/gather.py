"""What is observed before a plan: fingerprints, registry, record, releases, objects, pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import declared, helm, manifest, nodes
from .config import NodeFile, consumed_images
from .decide import Request
from .explain import explain, load_manifest, save_manifest
from .facts import ChartFacts, Facts, ImageFacts, NodeFileFacts
from .fingerprint import Fingerprint
from .gate.imageproof import image_proof
from .gate.observe import Source, observe_once, sources
from .gate.podrule import pod_finished, terminating
from .gate.result import GateResult
from .gate.revisions import current_pods
from .identity import cluster_uid, pin, pin_path, pinned_uid
from .kube.objects import Object, ObjectRef, Snapshot, uid_of
from .plan import Image
from .record import ChartState, NodeFileEntry, Record, RecordStore
from .session import Session
from .tags import fingerprint_tag

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def gather(session: Session, wanted: Request, *, anew: bool = False) -> Facts:
    """Everything that the plan is made of; nothing is written.

    ``anew``: the plan is for a cluster that takes this one's place.
    """
    project = session.project
    uid = session.identify()
    record = RecordStore(session.kube, project.name).load()
    before = pinned_uid(_pin_path(session))
    images = {name: _image(session, name, record, wanted) for name in project.images}
    if wanted.targets:
        images = _with_kept(session, images, record)
    files = {
        name: _node_file(session, name, record, wanted, anew=anew) for name in project.node_files
    }
    view = _snapshot(session, record)
    charts = {
        name: _chart(session, name, record, release, view)
        for name, release in _releases(session).items()
    }
    charts = _with_declared(session, charts)
    return Facts(
        project=project.name,
        images=images,
        node_files=files,
        charts=charts,
        record=record,
        recreated=bool(before) and before != uid,
        anew=anew,
        unchecked=unchecked_bases(session),
    )


def unchecked_bases(session: Session) -> tuple[str, ...]:
    """The base images whose digest is that of the last build, or not known at all."""
    return tuple(
        f"base: unchecked ({name}: {reference})"
        for name, image in session.project.builds.items()
        for reference in session.missing_bases(image)
    )


def _with_declared(session: Session, charts: dict[str, ChartFacts]) -> dict[str, ChartFacts]:
    """Charts that are ready are so only with the pods and answers that the project declares."""
    if not all(chart.release and not chart.not_ready for chart in charts.values()):
        return charts  # the gate will look
    seen = declared.observe(session)
    if seen is None:
        return charts
    session.observed["readiness.also"] = seen
    if seen.ready:
        return charts
    why = f"{seen.reason} {seen.detail}".strip()
    return {name: replace(chart, not_ready=why) for name, chart in charts.items()}


def _pin_path(session: Session) -> Path:
    return pin_path(session.provider, session.cluster_name, session.project.name)


def remember_cluster(session: Session) -> None:
    """Pin the cluster's identity, once a deploy to it has succeeded."""
    pin(_pin_path(session), cluster_uid(session.kube))


# -- images -------------------------------------------------------------------------------------


def _image(session: Session, name: str, record: Record, wanted: Request) -> ImageFacts:
    image = session.project.images[name]
    entry = record.images.get(name)

    def look() -> tuple[Fingerprint, Image | None]:
        found = session.fingerprint_image(image)
        published = None
        if entry is not None and entry.fingerprint == found.value:
            published = _held(session, name, entry.digest)
        return found, published or _held(session, name, fingerprint_tag(found.value))

    found, published = look()
    if (published is None or _named(name, wanted)) and session.pull_bases(image):
        found, published = look()
    recorded = entry is not None and entry.fingerprint == found.value
    changes: dict[str, Any] = {}
    if entry is not None and entry.fingerprint != found.value:
        changes = _explain(session, entry.fingerprint, found)
    return ImageFacts(
        fingerprint=found.value,
        published=published,
        lost=recorded and published is None,
        changes=changes,
        warnings=found.warnings,
        untracked=found.untracked,
    )


def _named(name: str, wanted: Request) -> bool:
    """Whether it is built whatever its fingerprint says."""
    return wanted.mode == "full" or name in wanted.targets


def _held(session: Session, name: str, reference: str) -> Image | None:
    held = session.registry.manifest(session.repository_name(name), reference)
    if held is None:
        return None
    return {
        "repository": session.repository(name),
        "digest": held.digest,
        "config": held.config,
    }


def _with_kept(
    session: Session, images: dict[str, ImageFacts], record: Record
) -> dict[str, ImageFacts]:
    """Add, per chart, the digests of its entry that the registry still holds (for targets)."""
    kept: dict[str, dict[str, Image]] = {}
    for chart, entry in record.charts.items():
        for name, image in entry.target.images.items():
            held = _held(session, name, image["digest"]) if name in images else None
            if held is not None:
                kept.setdefault(name, {})[chart] = held
    return {name: replace(facts, kept=kept.get(name, {})) for name, facts in images.items()}


def _explain(session: Session, previous: str, current: Fingerprint) -> dict[str, Any]:
    return explain(load_manifest(session.project.root, previous), current)


# -- node files ---------------------------------------------------------------------------------


def _node_file(
    session: Session, name: str, record: Record, wanted: Request, *, anew: bool
) -> NodeFileFacts:
    file = session.project.node_files[name]
    entry = record.node_files.get(name)
    other, missing = held_on_nodes(session, file, entry)

    def look() -> tuple[Fingerprint, bool, Image | None]:
        found = session.fingerprint_image(file)
        lacking = not _is_put(entry, found) or bool(other or missing) or anew
        published = _held(session, name, fingerprint_tag(found.value)) if lacking else None
        return found, lacking, published

    found, lacking, published = look()
    if (_named(name, wanted) or (lacking and published is None)) and session.pull_bases(file):
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
        facts = replace(facts, changes=_explain(session, entry.fingerprint, found))
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

    One look at its size, mode and time proves that nobody touched the file since it was put; where
    it differs, its digest and mode decide.
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
    """The pods that use the file: those that its selector finds and that are to go on running."""
    if file.reconcile is None:
        return []
    pods, _ = session.kube.list(
        "v1", "Pod", file.reconcile.namespace, label_selector=file.reconcile.selector
    )
    return [pod for pod in pods if not terminating(pod) and not pod_finished(pod)]


# -- charts -------------------------------------------------------------------------------------


def _releases(session: Session) -> dict[str, helm.Release | None]:
    charts = session.project.charts
    by_namespace: dict[str, list[str]] = {}
    for chart in charts.values():
        by_namespace.setdefault(chart.namespace, []).append(chart.release)
    found = {
        (namespace, name): release
        for namespace, names in by_namespace.items()
        for name, release in helm.releases(session.kube, namespace, names).items()
    }
    return {name: found.get((chart.namespace, chart.release)) for name, chart in charts.items()}


def _snapshot(session: Session, record: Record) -> Snapshot:
    """All recorded objects, and what judging them needs: one list a kind and namespace."""
    refs = [
        ObjectRef.parse(text)
        for name, entry in record.charts.items()
        if name in session.project.charts
        for text in entry.target.objects
    ]
    wanted = sources(refs)
    known = {(source.kind, source.namespace) for source in wanted}
    others = {
        (ref.api_version, ref.kind, ref.namespace)
        for ref in refs
        if (ref.kind, ref.namespace) not in known
    }
    wanted += [Source(*key, metadata_only=True) for key in sorted(others)]
    return session.fetch(wanted)


def _chart(
    session: Session,
    name: str,
    record: Record,
    release: helm.Release | None,
    view: Snapshot,
) -> ChartFacts:
    chart = session.project.charts[name]
    found = session.fingerprint_chart(chart)
    entry = record.charts.get(name)
    facts = ChartFacts(
        fingerprint=found.value,
        consumes=tuple(sorted(consumed_images(chart))),
        release=release,
        adopt=chart.adopt,
        warnings=tuple(found.warnings),
    )
    if entry is not None and entry.target.fingerprint != found.value:
        facts = replace(facts, changes=_explain(session, entry.target.fingerprint, found))
    if entry is None or entry.state != "settled" or release is None:
        return facts
    target = entry.target
    if release.revision != target.revision:
        return facts
    proof = _Proof(session, target, release, view)
    drift = tuple(proof.drift())
    seen = proof.readiness()
    session.observed[name] = seen
    return replace(
        facts,
        manifest_same=proof.manifest_same(),
        drift=drift,
        renoted=proof.renoted,
        other_pods=tuple(proof.other_pods()),
        not_ready="" if seen.status == "ready" else f"{seen.reason} {seen.detail}".strip(),
    )


class _Proof:
    """Whether the cluster still runs a settled state."""

    def __init__(
        self, session: Session, target: ChartState, release: helm.Release, view: Snapshot
    ) -> None:
        self._session = session
        self._target = target
        self._release = release
        self._view = view
        self._stored: helm.Stored | None = None
        self.renoted: dict[str, dict[str, Any]] = {}
        self._expected = expected_digests(target.images)

    def manifest_same(self) -> bool:
        """Helm's Secret is the one that was read, or holds the same manifest."""
        noted = {"uid": self._release.uid, "resource_version": self._release.resource_version}
        return noted == self._target.secret or self._manifest().sha256 == self._target.manifest

    def _manifest(self) -> helm.Stored:
        if self._stored is None:
            self._stored = helm.stored(self._session.kube, self._release)
        return self._stored

    def drift(self) -> list[str]:
        """Recorded objects that are gone, or whose fields are not the manifest's any more."""
        found = []
        moved = []
        for text, noted in self._target.objects.items():
            ref = ObjectRef.parse(text)
            live = self._view.get(ref)
            if live is None:
                if text not in self._target.completed_jobs:
                    found.append(f"{ref.kind} {ref.name} is gone")
            elif note(live) != noted:
                moved.append(ref)
        if moved:
            found += self._compare(moved)
        return found

    def _compare(self, moved: list[ObjectRef]) -> list[str]:
        wanted = {
            (obj["kind"], obj["metadata"]["name"]): obj
            for obj in manifest.parse(self._manifest().manifest, self._release.namespace)
        }
        found = []
        for ref in moved:
            live = self._session.kube.read(ref)
            fields = (
                manifest.differences(wanted[(ref.kind, ref.name)], live)
                if live is not None and (ref.kind, ref.name) in wanted
                else [""]
            )
            if fields or live is None:
                found.append(f"{ref.kind} {ref.name}: {', '.join(fields[:3])}".rstrip(": "))
            else:
                self.renoted[str(ref)] = note(live)
        return found

    def other_pods(self) -> list[str]:
        """Containers of current pods that run another digest than the recorded ones."""
        return [
            str(finding)
            for ref in self._workloads()
            for finding in image_proof(self._pods(ref), self._expected)
            if finding.kind == "different"
        ]

    def _workloads(self) -> list[ObjectRef]:
        refs = map(ObjectRef.parse, self._target.objects)
        return [ref for ref in refs if ref.kind in WORKLOADS and ref.group == "apps"]

    def _pods(self, ref: ObjectRef) -> list[dict[str, Any]]:
        obj = self._view.get(ref)
        return current_pods(obj, self._view) if obj is not None else []

    def readiness(self) -> GateResult:
        """The gate's judgement by this one observation."""
        readiness = self._session.project.readiness
        return observe_once(
            self._session.kube,
            list(map(ObjectRef.parse, self._target.objects)),
            expected=self._expected,
            stable_for=readiness.stable_for,
            rules=declared.rules(readiness),
            completed=frozenset(map(ObjectRef.parse, self._target.completed_jobs)),
            snapshot=self._view,
        )


def expected_digests(images: Mapping[str, Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """Per repository the digests that prove an image: its manifest's and its configuration's."""
    return {
        image["repository"]: frozenset(filter(None, (image["digest"], image["config"])))
        for image in images.values()
    }


def note(live: Mapping[str, Any]) -> dict[str, Any]:
    """What the record keeps of an object: uid and generation, else its resourceVersion."""
    metadata = live["metadata"]
    if metadata.get("generation"):
        return {"uid": uid_of(dict(live)), "generation": metadata["generation"]}
    return {"uid": uid_of(dict(live)), "resource_version": metadata.get("resourceVersion", "")}


def remember_inputs(session: Session) -> None:
    """Keep the inputs' manifests, so that a later plan can name what changed."""
    for image in session.project.builds.values():
        save_manifest(session.project.root, session.fingerprint_image(image))
    for chart in session.project.charts.values():
        save_manifest(session.project.root, session.fingerprint_chart(chart))
