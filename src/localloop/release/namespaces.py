"""The namespace of a release: made before Helm runs, taken over by a release that contains it.

Helm's own --create-namespace makes it after the look for objects that exist already, so that the
install of a chart with that very Namespace would fail.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing

from ..config.model import Chart
from ..errors import LocalloopError
from ..helm.live import newest
from ..helm.releases import PROJECT_LABEL
from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.objects import Object, ObjectRef
from ..readiness.pod_rule import terminating
from ..system.tools import Completed

_STREAM, _PAUSE = 30.0, 0.5
# How Helm knows the objects of a release.
_MANAGED_BY = {"app.kubernetes.io/managed-by": "Helm"}
_RELEASE_NAME, _RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_NOT_IMPORTED = 'Namespace "{}" in namespace "[^"]*" exists and cannot be imported'
_ONLY_PURGE = re.compile(r"completed with 1 error.*: Failed to purge the release")


def ensure(kube: Kube, name: str, project: str) -> None:
    """Create a namespace if it is missing, with the label that Helm would give it and ours."""
    try:
        if kube.read(_ref(name)) is not None:
            return
        labels = {"name": name, PROJECT_LABEL: project}
        metadata = {"name": name, "labels": labels}
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    except ApiError as error:
        # Who may not look at namespaces may still use this one; another run may have made it.
        if error.status not in (403, 409):
            raise


def take_over(kube: Kube, chart: Chart, said: str) -> bool:
    """Make the chart's namespace part of its release, if that is what Helm asks for in ``said``.

    Only one that was made for a release, by ``ensure`` or by Helm, and that belongs to none: one
    that somebody made by hand would go with the release. Returns whether it was taken over.
    """
    name = chart.namespace
    if not is_refused(chart, said):
        return False
    metadata = (kube.read(_ref(name)) or {}).get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if _RELEASE_NAME in annotations or (PROJECT_LABEL not in labels and labels.get("name") != name):
        return False
    owner = {_RELEASE_NAME: chart.release, _RELEASE_NAMESPACE: name}
    kube.patch(_ref(name), {"metadata": {"labels": _MANAGED_BY, "annotations": owner}})
    return True


def is_refused(chart: Chart, said: str) -> bool:
    """Whether Helm's error is that it does not take over the chart's namespace."""
    return bool(re.search(_NOT_IMPORTED.format(re.escape(chart.namespace)), said))


def taking_over(chart: Chart) -> str:
    """The commands that do by hand what ``take_over`` does."""
    name, (label, value) = chart.namespace, *_MANAGED_BY.items()
    return (
        f"kubectl label namespace {name} {label}={value} && kubectl annotate namespace {name}"
        f" {_RELEASE_NAME}={chart.release} {_RELEASE_NAMESPACE}={name}"
    )


def owners(kube: Kube) -> set[str]:
    """The releases that contain a namespace, as ``NAMESPACE/RELEASE``; none if that is forbidden.

    One LIST.
    """
    ((key, value),) = _MANAGED_BY.items()
    try:
        found, _ = kube.list("v1", "Namespace", label_selector=f"{key}={value}", metadata_only=True)
    except ApiError as error:
        if error.status != 403:
            raise
        return set()
    every = (each["metadata"].get("annotations") or {} for each in found)
    return {f"{each.get(_RELEASE_NAMESPACE)}/{each.get(_RELEASE_NAME)}" for each in every}


def went_along(
    kube: Kube, chart: Chart, done: Completed | None, timeout: float, say: Callable[[str], None]
) -> bool:
    """Whether an uninstall failed only because Helm's Secrets went first, with their namespace.

    Waits for the namespace's end, as ``await_end`` does.
    """
    if done is None or not _ONLY_PURGE.search(done.stderr):
        return False
    await_end(kube, chart, timeout, say)
    return newest(kube, chart) is None


def _ref(name: str) -> ObjectRef:
    return ObjectRef("v1", "Namespace", "", name)


def await_end(kube: Kube, chart: Chart, timeout: float, say: Callable[[str], None]) -> bool:
    """Wait until the chart's namespace is gone if it is being deleted; returns whether it was.

    ``timeout`` is in seconds. Raises ``namespace_terminating``.
    """
    name = chart.namespace
    found = kube.read(_ref(name))
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
