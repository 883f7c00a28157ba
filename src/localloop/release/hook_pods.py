"""What a hook's pods said, read while Helm runs: a Job that fails may take its pods with it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..errors import LocalloopError
from ..kube.client import Kube
from ..kube.fields import as_int, map_at, maps_at
from ..kube.objects import Object, ObjectRef, uid_of
from ..kube.watch import WatchStream
from ..readiness.evidence import pod_evidence
from ..readiness.pod_rule import container_statuses, terminating

# A hook's pod takes longer than this to start and fail; many releases are done sooner.
FIRST_LOOK = 0.5
_PAUSE, _STREAM = 1.0, 300.0
_JOIN = 3.0


class HookPods:
    """Watches a namespace's pods of Jobs and bare pods, as a context. All times are in seconds.

    ``kept`` is the evidence of the last pod of each Job, and of each bare pod, that ended.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._stop = threading.Event()
        self._stream: WatchStream | None = None
        self._seen: set[tuple[object, ...]] = set()
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> HookPods:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(_JOIN)

    def kept(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        """The evidence of the last pod of this Job or pod that ended."""
        return self._kept.get((ref.kind, ref.name)) if ref.namespace == self._namespace else None

    def _run(self) -> None:
        pause = FIRST_LOOK
        while not self._stop.wait(pause):
            pause = _PAUSE
            with suppress(LocalloopError):
                self._follow()
        self._kube.close()  # this thread's connection

    def _follow(self) -> None:
        pods, version = self._kube.list("v1", "Pod", self._namespace)
        for pod in pods:
            self._note(pod)
        self._stream = self._kube.watch("v1", "Pod", self._namespace, version, timeout=_STREAM)
        if self._stop.is_set():
            self._stream.close()
        for kind, pod in self._stream:
            if kind in ("ADDED", "MODIFIED"):
                self._note(pod)

    def _note(self, pod: Object) -> None:
        owner = _owner(pod)
        state = _state(pod)
        if owner is None or not state or (uid_of(pod), state) in self._seen:
            return
        self._seen.add((uid_of(pod), state))
        found = pod_evidence(self._kube, pod, budget=_JOIN)
        if has_lines(found):
            self._kept[owner] = found


def has_lines(pod: Mapping[str, Any]) -> bool:
    """Whether a pod's evidence has a line of a log."""
    return any(any(container["logs"].values()) for container in pod["containers"])


def _owner(pod: Object) -> tuple[str, str] | None:
    """Kind and name of what may be a hook: the pod's Job, or the pod if nothing controls it."""
    for owner in maps_at(pod, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return ("Job", str(owner.get("name"))) if owner.get("kind") == "Job" else None
    return "Pod", str(pod["metadata"]["name"])


def _state(pod: Object) -> tuple[object, ...]:
    """Differs each time that a container has ended, or that a running one is told to end."""
    ended = [
        (str(status.get("name")), as_int(status.get("restartCount")))
        for status in container_statuses(pod)
        if status.get("restartCount") or map_at(status, "state", "terminated")
    ]
    return (*ended, "terminating") if terminating(pod) else tuple(ended)
