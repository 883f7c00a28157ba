"""A live copy of the collections a gate watches; one thread per collection keeps it current."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

from ..errors import LocalloopError
from ..kube.client import ApiError, ApiUnreachable, Kube, WatchStream
from ..kube.collections import Collection
from ..kube.fields import as_int
from ..kube.objects import Object, ObjectRef, Snapshot, condition, group_of, ref_of, uid_of
from .pod_rule import container_statuses
from .verdict import EndedJob
from .workloads import job_failure

_WATCH_SECONDS = 60.0
_REFUSED = (401, 403)
# In a row, with growing pauses: a server that is starting rejects everyone for a few seconds.
_MAX_REFUSALS = 5


class Store:
    """Objects by collection; every change increments ``version`` and notifies ``changed``.

    ``clock`` is monotonic, in seconds; ``run_age`` is how long ago the run began that changed
    something, ``None`` without one. ``ended`` maps Jobs that were seen to end to how they
    did, even those deleted since. ``hopeless`` is set once something can never be watched.
    """

    def __init__(
        self,
        collections: Sequence[Collection],
        clock: Callable[[], float],
        run_age: float | None = None,
    ) -> None:
        self.changed = threading.Condition()
        self.version = 0
        self.gate_started: float | None = None
        self._clock = clock
        self._run_age = run_age
        self._objects: dict[Collection, dict[str, Object]] = {}
        self._collections = tuple(collections)
        self._outages: dict[str, LocalloopError] = {}
        self._initial_restarts: dict[tuple[str, str], int] = {}
        self._pods: set[str] = set()
        self.ended: dict[ObjectRef, EndedJob] = {}
        self.hopeless = False
        self._offset: float | None = None

    # Called by the watching threads.

    def replace(
        self, collection: Collection, items: list[Object], server_date: float | None
    ) -> None:
        """Replace a collection by a fresh list; ``server_date`` is the server's clock (epoch)."""
        with self.changed:
            self._objects[collection] = {_name(item): item for item in items}
            self._note_ended(items)
            self._note_restarts(items)
            if server_date is not None:
                self._offset = server_date - self._clock()
                self.gate_started = (
                    self.gate_started if self.gate_started is not None else server_date
                )
            self._outages.pop(str(collection), None)
            self._wake()

    def apply(self, collection: Collection, kind: str, obj: Object) -> None:
        """Apply one watch event, unless it is older than the object we have."""
        with self.changed:
            objects = self._objects.setdefault(collection, {})
            have = objects.get(_name(obj))
            self._note_ended([obj])
            if kind == "DELETED":
                if have is not None and uid_of(have) == uid_of(obj):
                    del objects[_name(obj)]
            elif have is None or uid_of(have) != uid_of(obj) or _newer(obj, have):
                objects[_name(obj)] = obj
                self._note_restarts([obj])
            self._outages.pop(str(collection), None)
            self._wake()

    def outage(self, subject: str, error: LocalloopError, *, final: bool = False) -> None:
        """Note that ``subject`` cannot be observed now; ``final``: nor will it be later."""
        with self.changed:
            self._outages[subject] = error
            self.hopeless = self.hopeless or final
            self._wake()

    def recovered(self, subject: str) -> None:
        """Note that ``subject`` can be observed again."""
        with self.changed:
            if self._outages.pop(subject, None) is not None:
                self._wake()

    # Called by the gate.

    def note_ended(self, ref: ObjectRef, ended: EndedJob) -> None:
        """Note how a Job ended before it was deleted."""
        with self.changed:
            self.ended[ref] = ended
            self._wake()

    def apply_read(self, ref: ObjectRef, obj: Object | None) -> None:
        """Apply a fresh read of one object; None means that it is gone."""
        for collection in self._collections:
            same_group = group_of(collection.api_version) == ref.group
            if not same_group or (collection.kind, collection.namespace) != (
                ref.kind,
                ref.namespace,
            ):
                continue
            have = self._objects.get(collection, {}).get(ref.name)
            if obj is not None:
                self.apply(collection, "MODIFIED", obj)
            elif have is not None:
                self.apply(collection, "DELETED", have)

    def state(self) -> tuple[int, Snapshot | None, LocalloopError | None]:
        """The version, the snapshot, and why something cannot be observed, if so.

        The snapshot is ``None`` until every collection has been listed.
        """
        with self.changed:
            outage = next(iter(self._outages.values()), None)
            if any(collection not in self._objects for collection in self._collections):
                return self.version, None, outage
            objects = tuple(o for entries in self._objects.values() for o in entries.values())
            now = self._clock() + (self._offset or 0.0)
            view = Snapshot(
                objects,
                now,
                self.gate_started,
                self._run_started(),
                dict(self._initial_restarts),
            )
            return self.version, view, outage

    def _run_started(self) -> float | None:
        if self.gate_started is None or self._run_age is None:
            return None
        return self.gate_started - self._run_age

    def _note_restarts(self, items: list[Object]) -> None:
        """Note the restart counts of new pods; a container that appears later started with 0."""
        for item in items:
            if ref_of(item).key[:2] != ("", "Pod"):
                continue
            uid = uid_of(item)
            for status in container_statuses(item):
                restarts = 0 if uid in self._pods else as_int(status.get("restartCount"))
                self._initial_restarts.setdefault((uid, str(status.get("name"))), restarts)
            self._pods.add(uid)

    def _note_ended(self, items: list[Object]) -> None:
        for item in items:
            ref = ref_of(item)
            if ref.key[:2] == ("batch", "Job"):
                failure = job_failure(item)
                if failure or _complete(item):
                    self.ended[ref] = EndedJob(uid_of(item), failure)

    def _wake(self) -> None:
        self.version += 1
        self.changed.notify_all()


class Watchers:
    """One thread per collection: list, watch, and list again after an error.

    A context manager: the threads run inside its ``with`` block. ``backoff`` is in seconds.
    """

    def __init__(
        self, kube: Kube, store: Store, collections: Sequence[Collection], *, backoff: float = 0.2
    ) -> None:
        self._kube = kube
        self._store = store
        self._backoff = backoff
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._streams: dict[Collection, WatchStream] = {}
        self._threads = [
            threading.Thread(
                target=self._follow, args=(collection,), name=f"gate-{collection.kind}", daemon=True
            )
            for collection in collections
        ]

    def __enter__(self) -> Watchers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._lock:
            for stream in self._streams.values():
                stream.close()
        deadline = time.monotonic() + 1.0
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def _follow(self, collection: Collection) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    version = self._list(collection)
                    failures = 0
                    self._watch(collection, version)
                except (ApiError, ApiUnreachable) as error:
                    expired = isinstance(error, ApiError) and error.expired
                    if not expired:
                        failures += 1
                        final = refused(error) and failures >= _MAX_REFUSALS
                        self._store.outage(str(collection), error, final=final)
                    pause = min(5.0, self._backoff * 2.0 ** min(failures, 6))
                    self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
        except Exception as error:  # a thread must not end silently
            text = f"{type(error).__name__}: {error}"
            self._store.outage(str(collection), LocalloopError("gate_internal", text), final=True)
            raise
        finally:
            self._kube.close()

    def _list(self, collection: Collection) -> str:
        try:
            items, version = self._kube.list(
                collection.api_version,
                collection.kind,
                collection.namespace or None,
                metadata_only=collection.metadata_only,
            )
        except ApiError as error:
            if error.status != 404:
                raise
            # The kind itself is gone, and all its objects with it. List again now and then.
            self._store.replace(collection, [], self._kube.server_date)
            self._stopping.wait(1.0)
            return ""
        self._store.replace(collection, items, self._kube.server_date)
        return version

    def _watch(self, collection: Collection, version: str) -> None:
        while version and not self._stopping.is_set():
            stream = self._kube.watch(
                collection.api_version,
                collection.kind,
                collection.namespace or None,
                version,
                timeout=_WATCH_SECONDS,
                metadata_only=collection.metadata_only,
            )
            self._store.recovered(str(collection))
            with self._lock:
                self._streams[collection] = stream
                if self._stopping.is_set():
                    stream.close()
            no_events = True
            for kind, obj in stream:
                no_events = False
                version = str(obj["metadata"].get("resourceVersion") or version)
                if kind != "BOOKMARK":
                    self._store.apply(collection, kind, obj)
            if no_events:
                # Do not loop tightly where a server ends streams at once.
                self._stopping.wait(self._backoff * random.uniform(0.5, 1.0))  # noqa: S311


def refused(error: LocalloopError | None) -> bool:
    """Whether the server rejects this user (401 or 403)."""
    return isinstance(error, ApiError) and error.status in _REFUSED


def _complete(job: Object) -> bool:
    return condition(job, "Complete").get("status") == "True"


def _name(obj: Object) -> str:
    return ref_of(obj).name


def _newer(obj: Object, have: Object) -> bool:
    try:
        return int(obj["metadata"]["resourceVersion"]) >= int(have["metadata"]["resourceVersion"])
    except (KeyError, TypeError, ValueError):
        return True
