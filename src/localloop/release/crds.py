"""Apply what a chart has in ``crds/`` before its release: Helm creates it and never changes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ..config.model import Chart
from ..helm.crds import FIELD_MANAGER, is_definition, other_release, refuse_dropped, to_apply
from ..kube.client import ApiError, Kube
from ..kube.objects import Object, ObjectRef, Snapshot, object_version
from ..readiness.judge import judge
from .failure import ReleaseFailedError

ESTABLISHED_SECONDS = 30.0
_POLL_SECONDS = 0.2


def apply_crds(
    kube: Kube,
    chart: Chart,
    written: Iterable[Object],
    *,
    upgrade: bool,
    say: Callable[[str], None],
) -> None:
    """Apply each object on the server; each changed definition is awaited until it is established.

    What is not there is left to Helm unless this is an ``upgrade``. What another release has in
    its manifest is left as it is. ``say`` takes what was done in words.

    Raises ``UsageError`` (``crd_version_stored``) and ``ReleaseFailedError`` (``crd_failed``).
    """
    for each in written:
        try:
            _apply(kube, chart, each, upgrade=upgrade, say=say)
        except ApiError as error:
            name = f"{each['kind']} {each['metadata']['name']}"
            raise _failed(chart, f"{name} cannot be applied: {error.message}") from error


def _apply(
    kube: Kube, chart: Chart, written: Object, *, upgrade: bool, say: Callable[[str], None]
) -> None:
    ref, wanted = to_apply(kube, chart, written)
    live = kube.read(ref)
    if live is None and not upgrade:
        return
    if live is not None:
        if owner := other_release(live, chart):
            say(f"{ref.kind} {ref.name} belongs to release {owner}: left as it is")
            return
        refuse_dropped(chart, live, wanted)
    applied = kube.patch(ref, wanted, strategy="apply", field_manager=FIELD_MANAGER, force=True)
    if live is not None and object_version(live) == object_version(applied):
        return
    say(f"{ref.kind} {ref.name} {'changed' if live else 'created'}")
    if is_definition(wanted):
        _await(kube, chart, ref)


def _await(kube: Kube, chart: Chart, ref: ObjectRef) -> None:
    """Wait until the server serves a definition as it is now."""
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    while True:
        live = kube.read(ref)
        verdict = judge(live, Snapshot((live,))) if live else None
        if verdict is not None and verdict.ready:
            return
        detail = verdict.detail if verdict else "it is gone"
        if (verdict and verdict.state == "failed") or time.monotonic() > deadline:
            raise _failed(chart, f"{ref.kind} {ref.name} was applied, and is not usable: {detail}")
        time.sleep(_POLL_SECONDS)


def _failed(chart: Chart, text: str) -> ReleaseFailedError:
    return ReleaseFailedError(
        f"crd_failed:{chart.name}",
        text,
        component=chart.name,
        hint="Correct the file under crds/, then run the command again.",
    )
