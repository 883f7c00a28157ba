"""Wait for a namespace that is being deleted: nothing can be created in it until it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from ..config.model import Chart
from ..errors import LocalloopError
from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.objects import Object, ObjectRef
from ..readiness.pod_rule import terminating

_STREAM, _PAUSE = 30.0, 0.5


def await_end(kube: Kube, chart: Chart, timeout: float, say: Callable[[str], None]) -> bool:
    """Wait until the chart's namespace is gone if it is being deleted; returns whether it was.

    ``timeout`` is in seconds. Raises ``namespace_terminating``.
    """
    name = chart.namespace
    found = kube.read(ObjectRef("v1", "Namespace", "", name))
    if found is None or not terminating(found):
        return False
    say(f"waits: namespace {name} is being deleted")
    deadline = time.monotonic() + timeout
    while True:
        namespaces, version = kube.list("v1", "Namespace")
        found = next((each for each in namespaces if each["metadata"]["name"] == name), None)
        if found is None or not terminating(found):
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            raise LocalloopError(
                f"namespace_terminating:{chart.name}",
                f"namespace {name} is still being deleted after {timeout:g} s: {_held_by(found)}",
                component=chart.name,
                hint="Remove what holds it, or take another namespace; then run the deploy again:"
                f" kubectl get namespace {name} -o yaml",
            )
        _until_deleted(kube, name, version, min(left, _STREAM))


def _until_deleted(kube: Kube, name: str, version: str, seconds: float) -> None:
    """Watch until it is gone, for at most ``seconds``; the stream may end sooner."""
    try:
        stream = kube.watch("v1", "Namespace", None, version, timeout=seconds)
        with closing(stream):
            for kind, obj in stream:
                if kind == "DELETED" and obj["metadata"]["name"] == name:
                    return
    except (ApiError, ApiUnreachable):
        time.sleep(_PAUSE)  # the caller lists it again


def _held_by(namespace: Object) -> str:
    """What the namespace's controller says, or the finalizers that it waits for."""
    conditions = (namespace.get("status") or {}).get("conditions") or ()
    said = [
        str(entry.get("message") or entry.get("reason"))
        for entry in conditions
        if entry.get("status") == "True"
    ]
    metadata, spec = namespace["metadata"], namespace.get("spec") or {}
    finalizers = [*(metadata.get("finalizers") or ()), *(spec.get("finalizers") or ())]
    return "; ".join(said) or f"finalizers {', '.join(finalizers) or 'none'}"
