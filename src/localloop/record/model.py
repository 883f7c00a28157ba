"""The record's entries, and their JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..errors import LocalloopError, UsageError
from ..helm.releases import HISTORY_MAX
from ..registry.published import PublishedImage, images_from_dict

NAMESPACE = "localloop"


SCHEMA = 2
_READABLE = (1, SCHEMA)


@dataclass(frozen=True)
class ImageEntry:
    """The last fingerprint of an image that was built, and what was published for it."""

    fingerprint: str
    image: PublishedImage


@dataclass(frozen=True)
class ChartState:
    """One state of a Helm release.

    ``images``: what it runs, by component. ``base_revision``: the revision that was live before the
    release (0 for none).

    Known once Helm is done: ``revision`` and when it was ``created`` (RFC 3339); ``manifest``, its
    sha256; ``secret``, {uid, resource_version} of Helm's Secret; ``objects``, by reference {uid,
    generation, metadata}, or {uid, resource_version} for kinds without a generation, or nothing for
    an object that was not seen as the manifest has it; with ``by_hand``, fields that were the
    chart's hooks' doing, and ``left``, what was told and left alone.
    ``completed_jobs``: references of Jobs that completed.
    ``settled``: the record's serial at the time.
    """

    transaction: str
    fingerprint: str
    images: dict[str, PublishedImage]
    base_revision: int = 0
    revision: int = 0
    manifest: str = ""
    secret: dict[str, str] = field(default_factory=dict)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    completed_jobs: tuple[str, ...] = ()
    settled: int = 0
    created: str = ""

    def same_content(self, other: ChartState) -> bool:
        """Whether both put the same into the cluster: same inputs, or the same manifest."""
        if self.manifest and self.manifest == other.manifest:
            return True
        digests, others = ({n: i.digest for n, i in s.images.items()} for s in (self, other))
        return self.fingerprint == other.fingerprint and digests == others


@dataclass(frozen=True)
class ChartEntry:
    """``state``: ``settled`` (``target`` runs) or ``settling`` (``last_good`` ran before, if any).

    ``history``: all settled states that Helm still keeps, newest first, without their objects.
    """

    state: str
    target: ChartState
    last_good: ChartState | None = None
    history: tuple[ChartState, ...] = ()


@dataclass(frozen=True)
class NodeFileEntry:
    """What was put on the nodes, written before the put and completed after it.

    ``nodes``: for each node Docker's stat right after the put, {size, mode, mtime}. ``pods``: uids
    of the pods that existed before the put and use earlier bytes until they are ``reconciled``.
    ``fingerprint`` is empty if the inputs moved while the file was built.
    """

    transaction: str
    fingerprint: str
    sha256: str
    put: bool = False
    reconciled: bool = False
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """The record's content; ``resource_version`` is empty if there is no Secret yet."""

    project: str
    serial: int = 0
    images: dict[str, ImageEntry] = field(default_factory=dict)
    node_files: dict[str, NodeFileEntry] = field(default_factory=dict)
    charts: dict[str, ChartEntry] = field(default_factory=dict)
    resource_version: str = ""

    @property
    def missing(self) -> bool:
        """Whether the cluster has no record yet."""
        return not self.resource_version

    def with_file(self, name: str, entry: NodeFileEntry) -> Record:
        """This record with another entry for a node file."""
        return replace(self, node_files={**self.node_files, name: entry})

    def on_nodes(self, names: Set[str]) -> Record:
        """This record without what it knows of nodes that no longer exist.

        A file none of whose nodes exist counts as not put.
        """
        files = {}
        for name, entry in self.node_files.items():
            nodes = {node: entry.nodes[node] for node in names & entry.nodes.keys()}
            files[name] = replace(entry, nodes=nodes, put=entry.put and bool(nodes))
        return replace(self, node_files=files)

    def settle(self, chart: str, state: ChartState) -> Record:
        """This record with ``chart`` settled in ``state``."""
        before = self.charts.get(chart)
        past = before.history if before is not None else ()
        same = (state.transaction, state.revision)
        known = next((s.settled for s in past if (s.transaction, s.revision) == same), 0)
        state = replace(state, settled=known or self.serial + 1)
        if not known:
            past = (replace(state, objects={}, secret={}), *past)[:HISTORY_MAX]
        entry = ChartEntry("settled", state, history=past)
        return replace(self, charts={**self.charts, chart: entry})

    def note(self, chart: str, target: ChartState) -> Record:
        """This record with more known about the target that ``chart`` is on its way to."""
        entry = replace(self.charts[chart], target=target)
        return replace(self, charts={**self.charts, chart: entry})

    def unsettle(self, chart: str, target: ChartState) -> Record:
        """This record with ``chart`` on its way to ``target``."""
        before = self.charts.get(chart)
        last_good = None
        if before is not None:
            last_good = before.target if before.state == "settled" else before.last_good
        past = before.history if before is not None else ()
        entry = ChartEntry("settling", target, last_good, past)
        return replace(self, charts={**self.charts, chart: entry})


def encode(record: Record) -> bytes:
    """The record as JSON with sorted keys.

    Raises ``LocalloopError`` (``record_without_proof``) if an entry lacks what a later plan
    compares with. Such an entry would prove nothing and look as if it did.
    """
    for component, lacking in _without_proof(record):
        raise LocalloopError(
            "record_without_proof",
            f"its entry in the cluster's record would have no {lacking}",
            component=component,
            hint="This is a defect of localloop: nothing was recorded. Please report it.",
        )
    content = {"schema": SCHEMA, **asdict(record)}
    del content["resource_version"]
    return json.dumps(content, sort_keys=True).encode()


def _without_proof(record: Record) -> Iterator[tuple[str, str]]:
    """The entries that lack a proof, each with what it lacks."""
    for name, image in record.images.items():
        yield from _empty(name, {"fingerprint": image.fingerprint, "digest": image.image.digest})
    for name, file in record.node_files.items():
        proofs: dict[str, object] = {"sha256": file.sha256}
        proofs |= {f"stat of {node}": stat for node, stat in file.nodes.items()}
        yield from _empty(name, proofs | ({"node's stat": file.nodes} if file.put else {}))
    for name, chart in record.charts.items():
        settled = [state for state in (chart.last_good, *chart.history) if state is not None]
        if chart.state == "settled":
            settled.append(chart.target)
        for state in (*settled, chart.target):
            proofs = {"transaction": state.transaction, "fingerprint": state.fingerprint}
            proofs |= {f"digest of {key}": image.digest for key, image in state.images.items()}
            yield from _empty(name, proofs)
        for state in settled:
            yield from _empty(name, {"revision": state.revision, "manifest": state.manifest})


def _empty(component: str, proofs: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    return ((component, name) for name, value in proofs.items() if not value)


def decode(content: bytes, *, project: str, resource_version: str) -> Record:
    """The record of ``project`` from JSON. Raises ``UsageError``: ``record_unreadable``,
    ``record_schema`` for one of a newer localloop, ``record_of_another_project``.

    A node file's entry without a sha256, which an earlier localloop could write, is left out.
    """
    where = f"Secret {NAMESPACE}/{project}"
    try:
        data = json.loads(content)
        schema = data["schema"]
        owner = data["project"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(project, error) from error
    if schema not in _READABLE:
        raise UsageError(
            "record_schema",
            f"the record has schema {schema}, this localloop knows {SCHEMA}",
            where=where,
            hint="Use the localloop that wrote it, or a newer one.",
        )
    if owner != project:
        raise UsageError(
            "record_of_another_project", f"the record belongs to project {owner}", where=where
        )
    try:
        return Record(
            project=owner,
            serial=int(data["serial"]),
            images={name: _image_entry(entry) for name, entry in data["images"].items()},
            node_files={
                name: NodeFileEntry(**{**entry, "pods": tuple(entry["pods"])})
                for name, entry in data.get("node_files", {}).items()
                if entry["sha256"]
            },
            charts={name: _chart_entry(entry) for name, entry in data["charts"].items()},
            resource_version=resource_version,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(project, error) from error


def decode_secret(secret: Mapping[str, Any]) -> Record:
    """The record in its Secret, as the API server returns it; errors as of ``decode``."""
    metadata = secret["metadata"]
    try:
        content = base64.b64decode((secret.get("data") or {}).get("record", ""), validate=True)
    except ValueError:
        content = b""  # unreadable like any other damage
    return decode(content, project=metadata["name"], resource_version=metadata["resourceVersion"])


def stored_record(secret: Any) -> dict[str, Any]:
    """The record as plain data, from its Secret as the API server returns it.

    Raises ``UsageError`` for anything else, and if the record cannot be read.
    """
    try:
        record = decode_secret(secret)
    except (KeyError, TypeError, AttributeError):
        raise UsageError("unexpected_data", "not the Secret of a record") from None
    return asdict(record)


def _unreadable(project: str, error: Exception) -> UsageError:
    return UsageError(
        "record_unreadable",
        f"the record cannot be read: {error!r}",
        where=f"Secret {NAMESPACE}/{project}",
        hint=f"Remove it (kubectl -n {NAMESPACE} delete secret {project}): the next deploy"
        " looks at what runs and releases each chart once.",
    )


def _image_entry(data: dict[str, Any]) -> ImageEntry:
    if "image" in data:
        return ImageEntry(data["fingerprint"], PublishedImage.from_dict(data["image"]))
    # Schema 1 did not note the repository.
    return ImageEntry(data["fingerprint"], PublishedImage.from_dict({"repository": "", **data}))


def _chart_entry(data: dict[str, Any]) -> ChartEntry:
    def state(found: dict[str, Any]) -> ChartState:
        images = images_from_dict(found["images"])
        jobs = tuple(found["completed_jobs"])
        return ChartState(**{**found, "images": images, "completed_jobs": jobs})

    last_good = data["last_good"]
    return ChartEntry(
        data["state"],
        state(data["target"]),
        state(last_good) if last_good else None,
        tuple(state(found) for found in data.get("history", ())),
    )
