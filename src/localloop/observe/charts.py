"""What is observed about charts: their releases, objects and pods, and whether they drifted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..config.placeholders import consumed_images
from ..fingerprint.explain import explain, load_manifest
from ..helm import releases as helm_releases
from ..helm.live import LiveRelease, live_release, read_live
from ..inputs.names import one_line
from ..inputs.tree import removed_below
from ..kube.collections import Collection, fetch_collections
from ..kube.kinds import WORKLOADS
from ..kube.objects import ObjectRef, Snapshot, group_of, object_version
from ..readiness.image_proof import expected_digests, image_proof
from ..readiness.look import collections_to_read, observe_once
from ..readiness.result import GateResult
from ..readiness.revisions import current_pods
from ..record.model import ChartState, Record
from ..record.notes import noted_version, object_refs, state_of
from ..session import Session
from . import declared
from .facts import ChartFacts, is_live
from .network_policies import policy_warnings


def releases(session: Session) -> dict[str, helm_releases.Release | None]:
    """Each chart's newest revision, by one LIST for each namespace."""
    charts = session.project.charts
    by_namespace: dict[str, list[str]] = {}
    for chart in charts.values():
        by_namespace.setdefault(chart.namespace, []).append(chart.release)
    found = {
        (namespace, name): release
        for namespace, names in by_namespace.items()
        for name, release in helm_releases.releases(session.kube, namespace, names).items()
    }
    return {name: found.get((chart.namespace, chart.release)) for name, chart in charts.items()}


def snapshot(session: Session, record: Record) -> Snapshot:
    """All recorded objects and what judging them needs, by one LIST for each kind and namespace."""
    refs = [
        ObjectRef.parse(text)
        for name, entry in record.charts.items()
        if name in session.project.charts
        for text in entry.target.objects
    ]
    return _view(session, refs)


def _view(session: Session, refs: list[ObjectRef]) -> Snapshot:
    wanted = collections_to_read(refs)
    known = {(group_of(each.api_version), each.kind, each.namespace) for each in wanted}
    others = {
        (ref.api_version, ref.kind, ref.namespace)
        for ref in refs
        if (ref.group, ref.kind, ref.namespace) not in known
    }
    wanted += [Collection(*key, metadata_only=True) for key in sorted(others)]
    return fetch_collections(session.kube, wanted)


def chart_facts(
    session: Session,
    name: str,
    record: Record,
    release: helm_releases.Release | None,
    view: Snapshot,
) -> ChartFacts:
    """The facts about a chart, from its release and from ``snapshot``'s view of its objects."""
    chart = session.project.charts[name]
    found = session.fingerprints.of_chart(chart)
    entry = record.charts.get(name)
    facts = ChartFacts(
        fingerprint=found.value,
        consumes=tuple(sorted(consumed_images(chart))),
        release=release,
        adopt=chart.adopt,
        warnings=(*found.warnings, *policy_warnings(session, chart, entry, found.value)),
    )
    if entry is not None and entry.target.fingerprint != found.value:
        before = load_manifest(session.project.root, entry.target.fingerprint)
        gone = removed_below("crds", before.tree, found.tree) if before else []
        left = (f"{one_line(path)} is gone: what it defined stays in the cluster" for path in gone)
        facts = replace(facts, changes=explain(before, found), warnings=(*facts.warnings, *left))
    if entry is None or release is None:
        return facts
    target = entry.target
    if entry.state == "settling":
        return replace(facts, drift=tuple(_unfinished(session, target, release, view)))
    if release.revision != target.revision:
        return facts
    proof = _Proof(session, target, release, view)
    drift = tuple(proof.drift())
    seen = proof.readiness()
    return replace(
        facts,
        manifest_same=proof.manifest_same(),
        drift=drift,
        warnings=(*facts.warnings, *proof.left),
        new_versions=proof.new_versions,
        other_pods=tuple(proof.other_pods()),
        seen=seen,
        not_ready="" if seen.status == "ready" else f"{seen.reason} {seen.detail}".strip(),
    )


def _unfinished(
    session: Session,
    target: ChartState,
    release: helm_releases.Release,
    view: Snapshot,
) -> list[str]:
    """What differs from the manifest, of a release that a run made and did not settle."""
    if not is_live(release, target):
        return []
    if not target.revision:
        return note_late(session, target, read_live(session.kube, release))[1]
    return _Proof(session, target, release, view).drift()


def note_late(
    session: Session, target: ChartState, live: LiveRelease
) -> tuple[ChartState, list[str]]:
    """As ``note_release``, but long after Helm: the state, and what differs from the manifest.

    Objects that differ get an empty note, because what Helm made of them is not known.
    """
    unseen: dict[str, dict[str, Any]] = {str(ref): {} for ref in live.objects}
    state = state_of(live, target, unseen)
    proof = _Proof(session, state, live.release, _view(session, object_refs(state)), live)
    drift = proof.drift()
    return replace(state, objects=unseen | proof.new_versions), drift


@dataclass(frozen=True)
class Since:
    """What became of a release's objects since they were noted.

    ``changed``: fields that were changed by hand. ``versions``: the new notes of what only moved.
    ``left``: what is not as the manifest has it and left alone, if it was not told yet.
    """

    changed: list[str]
    versions: dict[str, dict[str, Any]]
    left: list[str]


def since_noted(session: Session, name: str, state: ChartState) -> Since:
    """What became of the objects of a chart's release since it was noted.

    One LIST for each kind and namespace; Helm's Secret is read only if something moved. What is
    gone is for the gate to say. Raises ``release_gone``.
    """
    kinds = {
        Collection(ref.api_version, ref.kind, ref.namespace, metadata_only=True)
        for ref in object_refs(state)
    }
    view = fetch_collections(session.kube, sorted(kinds))
    moved = {
        text: note
        for text, note in state.objects.items()
        if (found := view.get(ObjectRef.parse(text)))
        and object_version(found) != noted_version(note)
    }
    if not moved:
        return Since([], {}, [])
    live = live_release(session.kube, session.project.charts[name])
    proof = _Proof(session, replace(state, objects=moved), live.release, view, live)
    return Since(proof.drift(), proof.new_versions, proof.left)


class _Proof:
    """Whether the cluster still runs a settled state."""

    def __init__(
        self,
        session: Session,
        target: ChartState,
        release: helm_releases.Release,
        view: Snapshot,
        live: LiveRelease | None = None,
    ) -> None:
        self._session = session
        self._target = target
        self._release = release
        self._view = view
        self._live = live
        self.new_versions: dict[str, dict[str, Any]] = {}
        self.left: list[str] = []
        self._expected = expected_digests(target.images)

    def manifest_same(self) -> bool:
        """Whether Helm's Secret is the recorded one, or holds the same manifest."""
        noted = {"uid": self._release.uid, "resource_version": self._release.resource_version}
        return noted == self._target.secret or self._read().stored.sha256 == self._target.manifest

    def _read(self) -> LiveRelease:
        if self._live is None:
            self._live = read_live(self._session.kube, self._release)
        return self._live

    def drift(self) -> list[str]:
        """The recorded objects that are gone, or whose fields differ from the manifest."""
        found = []
        moved = []
        for text, noted in self._target.objects.items():
            ref = ObjectRef.parse(text)
            live = self._view.get(ref)
            if live is None:
                if text not in self._target.completed_jobs:
                    found.append(f"{ref.kind} {ref.name} is gone")
            elif object_version(live) != noted_version(noted):
                moved.append(ref)
        if moved:
            found += self._compare(moved)
        return found

    def _compare(self, moved: list[ObjectRef]) -> list[str]:
        from .drift import Drift, drift_of, unnoted

        kube, wanted = self._session.kube, self._read().objects
        found = []
        for ref in moved:
            live = kube.read(ref)
            noted = self._target.objects[str(ref)]
            drift = (
                drift_of(kube, ref, wanted[ref], live, noted)
                if live is not None and ref in wanted
                else Drift(("",), ())
            )
            if drift.fields or live is None:
                fields = ", ".join(drift.fields[:3])
                found.append(f"{ref.kind} {ref.name}: {fields}".rstrip(": "))
            else:
                self.left += [f"{ref.kind} {ref.name}: {text}" for text in unnoted(drift, noted)]
                kept = {key: noted[key] for key in ("by_hand",) if key in noted}
                left = {"left": list(drift.left)} if drift.left else {}
                self.new_versions[str(ref)] = object_version(live) | kept | left
        return found

    def other_pods(self) -> list[str]:
        """The containers of current pods that run another digest than the recorded ones."""
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
        """The gate's verdict by this one observation."""
        readiness = self._session.project.readiness
        return observe_once(
            self._session.kube,
            list(map(ObjectRef.parse, self._target.objects)),
            expected=self._expected,
            stable_for=readiness.stable_for,
            thresholds=declared.thresholds(readiness),
            completed=frozenset(map(ObjectRef.parse, self._target.completed_jobs)),
            snapshot=self._view,
        )
