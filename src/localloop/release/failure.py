"""The error for a Helm that failed or hung: its message, its hooks, and what their pods say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..config.model import Chart
from ..errors import LocalloopError
from ..events import Emit
from ..helm import manifest
from ..helm.live import LiveRelease
from ..kube.client import Kube
from ..kube.kinds import WORKLOADS
from ..kube.objects import ObjectRef, Snapshot
from ..readiness.diagnosis import diagnose
from ..readiness.evidence import collect_evidence, sanitize
from ..readiness.judge import judge
from ..readiness.look import fetch_scope
from ..session import Session
from ..system.tools import Completed
from .hook_pods import HookPods, has_lines
from .namespaces import is_refused, taking_over

_WITH_PODS = {*(("apps", kind) for kind in WORKLOADS), ("batch", "Job"), ("", "Pod")}
_MOST = 3  # objects to gather evidence of
_LINES, _LINE_LENGTH = 5, 500
_REPORTED = 10_000  # characters of each line of Helm's that the report has
_CUT = "(the rest is in the report)"
_MEND = "Fix the chart or what Helm names, then run the command again."
_HUNG = (
    "Fix what hangs (activeDeadlineSeconds bounds a hook's Job), or raise"
    " readiness.timeout; then run the command again."
)
# A Secret's limit: "must have at most" or, from current API servers, "may not be more than".
_TOO_LARGE = re.compile(r"data: Too long: m\w+ .* 1048576 bytes")


class ReleaseFailedError(LocalloopError):
    """Helm failed, and may have changed some of the release's objects."""


@dataclass(frozen=True)
class _FailedHook:
    """A hook that did not succeed."""

    ref: ObjectRef
    event: str
    state: str
    running: bool

    def __str__(self) -> str:
        return f"the {self.event} hook {self.ref.kind} {self.ref.name} {self.state}"


def release_failed(
    session: Session,
    chart: Chart,
    done: Completed | None,
    *,
    live: LiveRelease | None,
    verb: str,
    bound: float,
    emit: Emit,
    pods: HookPods | None = None,
    reason: str = "release_failed",
) -> ReleaseFailedError:
    """The error for a Helm that failed, or (if ``done`` is None) was killed after its time.

    What the release's hooks and pods say is gathered now, before anything is undone, and emitted as
    ``evidence``. ``live`` is the revision that Helm left behind; None if it made none or it cannot
    be read. ``bound``: how many seconds the hooks had. ``pods``: what hooks said while Helm ran.
    ``verb`` and ``reason`` name the action.
    """
    hooks, evidence = _look(session.kube, live)
    if pods is not None:
        evidence = tuple(_with_pods_gone(entry, pods) for entry in evidence)
    if evidence:
        emit({"event": "evidence", "evidence": list(evidence)})
    said = helm_said(done.stderr) if done else ""
    if done and said.endswith(_CUT):
        lines = [sanitize(line, _REPORTED) for line in done.stderr.strip().splitlines()]
        emit({"event": "helm_output", "component": chart.name, "lines": lines})
    hung = done is None or done.duration_s >= bound
    hints = [_HUNG if hung else _MEND]
    if hung:
        within = f"{bound:g} s (readiness.timeout and the time for hooks)"
        text = "\n  ".join(filter(None, (f"helm {verb} did not end within {within}", said)))
    else:
        text = f"helm {verb} failed: {said}"
    if done and _TOO_LARGE.search(done.stderr):
        hints = ["Helm stores the whole chart in one Secret: list large files in its .helmignore."]
    if done and is_refused(chart, done.stderr):
        hints = [
            "Leave the Namespace out of the chart; or, if all that is in it may go with the"
            f" release: {taking_over(chart)}"
        ]
    reason = f"{reason}:{chart.name}"
    if hooks:
        found = diagnose(reason, "", evidence, meaning="; ".join(map(str, hooks)))
        text = f"{text}\n{found}"
        hints.insert(0, found.next_step)
        hints += [_end(hook.ref) for hook in hooks if hook.running]
    elif hung:
        text = f"{text}\nno hook was running: Helm itself or the API server hung"
    return ReleaseFailedError(
        reason, text, component=chart.name, hint=" ".join(filter(None, hints))
    )


def _end(ref: ObjectRef) -> str:
    return (
        f"It keeps running until it is deleted: kubectl -n {ref.namespace} delete"
        f" {ref.kind.lower()} {ref.name}"
    )


def helm_said(stderr: str) -> str:
    """The first lines of Helm's error, or its last ones if it prints none; each bounded."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    said = lines[errors[-1] :] if errors else lines[-_LINES:]
    kept = [sanitize(line, _LINE_LENGTH) for line in said[:_LINES]]
    if len(said) > _LINES or any(len(line) > _LINE_LENGTH for line in said):
        kept.append(_CUT)
    return "\n  ".join(kept) if kept else "no message"


def _look(
    kube: Kube, live: LiveRelease | None
) -> tuple[list[_FailedHook], tuple[dict[str, Any], ...]]:
    """The hooks of the failed revision that did not succeed, and evidence of all its workloads.

    Nothing if there is no revision, or if the cluster no longer answers.
    """
    if live is None:
        return [], ()
    try:
        hooks = [
            (ref, "/".join(hook.events))
            for hook in live.stored.hooks
            if hook.phase not in ("", "Succeeded")
            for ref in _with_pods(_objects_of(hook.manifest, live.release.namespace))
        ]
        refs = _with_pods(live.objects)
        view = fetch_scope(kube, [*(ref for ref, _ in hooks), *refs])
        failed = [_failed_hook(ref, event, view) for ref, event in hooks]
        unready = [ref for ref in refs if _unready(ref, view)]
        looked_at = [*(hook.ref for hook in failed), *unready][:_MOST]
        return failed, collect_evidence(kube, looked_at, view)
    except LocalloopError:
        return [], ()


def _with_pods_gone(entry: dict[str, Any], pods: HookPods) -> dict[str, Any]:
    """The evidence, where it has no log with that of the pod while there was one."""
    kept = pods.kept(ObjectRef.parse(entry["ref"]))
    if kept is None or any(map(has_lines, entry["pods"])):
        return entry
    return {**entry, "pods": [kept]}


def _objects_of(text: str, namespace: str) -> list[ObjectRef]:
    return [manifest.located(obj, namespaced=True) for obj in manifest.parse(text, namespace)]


def _with_pods(refs: Iterable[ObjectRef]) -> list[ObjectRef]:
    """The objects whose pods may have something to say."""
    return [ref for ref in refs if (ref.group, ref.kind) in _WITH_PODS]


def _failed_hook(ref: ObjectRef, event: str, view: Snapshot) -> _FailedHook:
    obj = view.get(ref)
    if obj is None:
        return _FailedHook(ref, event, "failed, and Helm has deleted it", running=False)
    verdict = judge(obj, view)
    if verdict.state == "failed" and verdict.reason in ("job_failed", "pod_failed"):
        return _FailedHook(ref, event, f"failed ({verdict.detail})", running=False)
    return _FailedHook(
        ref, event, f"is still running ({verdict.detail})", running=not verdict.ready
    )


def _unready(ref: ObjectRef, view: Snapshot) -> bool:
    obj = view.get(ref)
    return obj is not None and not judge(obj, view).ready
