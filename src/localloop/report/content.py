"""The report of a transaction: from its journal to plain data (JSON), and from that to markdown.

Building and rendering are pure; only ``write_report`` touches files. Sections and keys are those
of docs/reports.md. Durations are whole milliseconds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import LocalloopError
from ..plan.model import ComponentPlan, Plan
from ..readiness.evidence import render_evidence
from .bootstrap import bootstrap_section, cluster_fingerprint, cluster_keys
from .markdown import render

SCHEMA = 1
Event = Mapping[str, Any]


def write_report(journal: Path, *, killed: bool = False) -> Path:
    """Write ``TX.md`` and ``TX.json`` next to the journal and remove the journal.

    ``killed``: the run was killed before it could close its journal. Returns the markdown's path.
    If the directory cannot be written, the report is printed to stderr and ``LocalloopError``
    (``report_unwritable``) names the path and the errno.
    """
    from .journal import read_events

    events = read_events(journal)
    if killed and not any(event.get("event") == "closed" for event in events):
        events.append({"event": "closed", "outcome": "killed", "mono": events[-1].get("mono")})
    report = build_report(events)
    markdown = render(report)
    target = journal.with_suffix(".md")
    try:
        _replace(journal.with_suffix(".json"), json.dumps(report, indent=2) + "\n")
        _replace(target, markdown)
        journal.unlink()
    except OSError as error:
        import sys

        print(markdown, file=sys.stderr)
        raise LocalloopError(
            "report_unwritable",
            f"cannot write {target}: {error.strerror} (errno {error.errno})",
            hint="Free some space or set DEPLOY_REPORT_DIR; the report is above.",
        ) from error
    return target


def _replace(path: Path, content: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    # File names may contain bytes that are not UTF-8: they appear as lone surrogates.
    temporary.write_bytes(content.encode("utf-8", "backslashreplace"))
    temporary.replace(path)


def outcome_of(events: Iterable[Event]) -> tuple[str, int]:
    """The run's outcome and exit code.

    ``unchanged``, ``deployed``, ``rolled_back``, ``pruned``, ``removed``, ``stopped``, ``failed``,
    ``refused``, ``busy``, ``interrupted`` or ``killed``.
    """
    events = list(events)
    failures = [event["error"] for event in events if event.get("event") == "failed"]
    if any(event.get("event") == "closed" and event.get("outcome") == "killed" for event in events):
        return "killed", 137
    if failures:
        code = failures[0].get("exit_code", 1)
        names = {2: "refused", 75: "busy", 130: "interrupted"}
        return names.get(code, "failed"), code
    plan = _last_plan(events)
    changed = plan is not None and any(part.changed for part in plan.components.values())
    command = next((event.get("command") for event in events if event.get("command")), "")
    if command == "down":
        return ("removed" if any(e.get("event") == "removed" for e in events) else "unchanged"), 0
    if command == "stop":
        return ("stopped" if any(e.get("event") == "stopped" for e in events) else "unchanged"), 0
    if command == "prune":
        return ("pruned" if changed else "unchanged"), 0
    gates = [event for event in events if event.get("event") == "gate"]
    if not gates or gates[-1].get("status") != "ready":
        return "failed", 1
    if changed and command == "rollback":
        return "rolled_back", 0
    settled = any(event.get("event") == "settled" for event in events)
    return ("deployed" if changed or settled else "unchanged"), 0


def build_report(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The report as plain data, from a journal's events in their order."""
    opened: Event = next((e for e in events if e.get("event") == "opened"), {})
    plan = _last_plan(events)
    parts = plan.components if plan else {}
    outcome, code = outcome_of(events)
    gate: Event = next((e for e in reversed(events) if e.get("event") == "gate"), {})
    settled = {
        name
        for event in events
        if event.get("event") == "settled"
        for name in event.get("components", ())
    }
    errors = [event["error"] for event in events if event.get("event") == "failed"]
    durations = _durations(events, parts)
    infra = cluster_fingerprint(events)
    return {
        "schema": SCHEMA,
        "outcome": outcome,
        "exit_code": code,
        "header": _header(opened, events, parts),
        "plan": _plan_keys(opened, plan, parts) | cluster_keys(events),
        "bootstrap": bootstrap_section(events, parts, durations["total"]),
        "components": {name: _component(part) for name, part in parts.items()},
        "unchecked": list(plan.unchecked) if plan else [],
        "warnings": list(plan.warnings) if plan else [],
        "fingerprints": {
            name: {
                "previous": part.previous,
                "current": part.fingerprint,
                "state_written": name in settled,
            }
            for name, part in parts.items()
        }
        | ({"cluster_infra": infra} if infra else {}),
        "digests": _digests(parts),
        "readiness": {
            "readiness_gate_status": gate.get("status", "not_run"),
            "readiness_failure_reason": gate.get("reason", "")
            if gate.get("status") != "ready"
            else "",
            "readiness_failure_cause": (gate.get("diagnosis") or {}).get("cause", ""),
            "readiness_deadline": _deadline(gate),
            "objects": gate.get("objects", []),
            "warnings": gate.get("warnings", []),
            "not_gated": gate.get("not_gated", []),
        },
        "hooks": [
            {key: event.get(key) for key in ("when", "command", "code", "lines")}
            for event in events
            if event.get("event") == "hook"
        ],
        "rollback": _rollback(events),
        "evidence": "\n".join(
            filter(None, (*_helm_output(events), render_evidence(_evidence(events, gate))))
        ),
        "error": errors[0] if errors else None,
        "durations_ms": durations,
    }


def _evidence(events: Iterable[Event], gate: Event) -> list[dict[str, Any]]:
    """The evidence that was gathered when Helm failed, and by the gate."""
    of_helm = [event["evidence"] for event in events if event.get("event") == "evidence"]
    return [entry for found in (*of_helm, gate.get("evidence", ())) for entry in found]


def _helm_output(events: Iterable[Event]) -> Iterator[str]:
    """What Helm said, where the message has only its first lines."""
    for event in events:
        if event.get("event") == "helm_output":
            yield "\n  ".join((f"helm, {event['component']}", *event["lines"]))


def _rollback(events: Iterable[Event]) -> dict[str, Any]:
    """What a failed deploy was rolled back to; empty if it was not."""
    found = next((event for event in events if event.get("event") == "rolled_back"), None)
    if found is None:
        return {}
    charts = {f"{name}_transaction": transaction for name, transaction in found["charts"].items()}
    keys = {"rollback_gate_status": found["status"], "rollback_failure_reason": found["reason"]}
    return {**charts, **keys}


def _last_plan(events: Iterable[Event]) -> Plan | None:
    found = None
    for event in events:
        if event.get("event") == "plan":
            found = event["plan"]
    return Plan.from_dict(found) if found else None


def _header(
    opened: Event, events: Iterable[Event], parts: Mapping[str, ComponentPlan]
) -> dict[str, Any]:
    # A new cluster is planned a second time, without the targets that were requested.
    asked = next((event["plan"] for event in events if event.get("event") == "plan"), opened)
    targets, mode = asked.get("targets", ()), asked.get("mode", "auto")
    profile = asked.get("profile") or "none"
    changed = sum(
        (part.changes.get(word) or {}).get("count", 0)
        for part in parts.values()
        for word in ("added", "changed", "removed")
    )
    return {
        "transaction_id": opened.get("transaction", ""),
        "timestamp_utc": opened.get("at", ""),
        "command": opened.get("command", ""),
        "project": opened.get("project", ""),
        "cluster_name": opened.get("cluster_name", ""),
        "container_name": opened.get("container_name", ""),
        **_provider_keys(asked),
        "profile": profile,
        "mode": mode,
        "explicit_target": bool(targets),
        "targets_requested": ",".join(targets) or "none",
        "changed_files_count": changed,
        # Other names of the mode and the profile, for readers of OpenShell's reports.
        "deploy_fast_mode": mode,
        "cargo_build_profile": profile,
    }


def _provider_keys(plan: Event) -> dict[str, Any]:
    """Which cluster it was and how images reached it, and why; empty if that was not settled."""
    provider, route = plan.get("provider"), plan.get("route")
    if not provider or not route:
        return {}
    return {
        "cluster_provider": provider["name"],
        "cluster_context": provider["context"],
        "cluster_chosen": provider["why"],
        "image_route": route["name"],
        "image_route_reason": route["why"],
    }


def _plan_keys(
    opened: Event, plan: Plan | None, parts: Mapping[str, ComponentPlan]
) -> dict[str, Any]:
    built = [part for part in parts.values() if part.kind != "chart"]
    images = [part for part in built if part.kind == "image"]
    charts = [part for part in parts.values() if part.kind == "chart"]
    keys: dict[str, Any] = {f"build_{part.name}": "build" in part.steps for part in built}
    keys["helm_upgrade"] = any("release" in part.steps for part in charts)
    keys["force_helm_upgrade"] = bool(plan and plan.mode == "full")
    for image in images:
        consumers = [part for part in charts if image.name in part.consumes]
        keys[f"helm_requested_by_{image.name}_build"] = any(
            reason.name == "consumes" and reason.detail == image.name
            for part in consumers
            for reason in part.reasons
        )
        skipped = bool(image.steps) and any(
            part.skip == "digest_already_deployed" for part in consumers
        )
        keys[f"{image.name}_reconcile_skipped"] = skipped
        keys[f"{image.name}_reconcile_skip_reason"] = (
            "digest_already_deployed" if skipped else "none"
        )
    for part in parts.values():
        if part.kind == "node_file":
            keys |= _reconcile_keys(part)
    keys["readiness_timeout_seconds"] = opened.get("readiness_timeout_seconds", 0)
    keys["readiness_poll_seconds"] = 0  # the gate watches
    return keys


def _reconcile_keys(part: ComponentPlan) -> dict[str, Any]:
    file, name = part.file, part.name
    return {
        f"{name}_reconcile_mode": file.mode,
        f"{name}_reconcile_timeout_seconds": file.timeout,
        f"{name}_reconcile_performed": file.restarted > 0,
        f"{name}_reconcile_expected_running": file.expected,
        f"{name}_reconcile_restarted_pods": file.restarted,
        f"{name}_reconcile_waits": file.waits,
        f"{name}_reconcile_failure_reason": file.failure or "none",
        f"{name}_pending": file.pending,
    }


def _component(part: ComponentPlan) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "steps": list(part.steps),
        "skip": part.skip,
        "reasons": [str(reason) for reason in part.reasons],
        "changed": part.changed,
        "removes": list(part.removes),
        "moved_during_build": part.moved,
        "revision": part.revision,
        "changes": part.changes,
        "warnings": list(part.warnings),
        "untracked": list(part.untracked),
    }


def _digests(parts: Mapping[str, ComponentPlan]) -> dict[str, dict[str, str]]:
    found = {}
    for name, part in parts.items():
        if part.kind == "chart":
            continue
        if part.kind == "node_file":
            found[name] = {
                "deployed_before": part.file.deployed,
                "target_after_push": part.file.sha256 or part.file.deployed,
            }
            continue
        before = next(
            (
                chart.deployed[name].digest
                for chart in parts.values()
                if chart.kind == "chart" and name in chart.deployed
            ),
            "",
        )
        found[name] = {
            "deployed_before": before,
            "target_after_push": part.image.digest if part.image else "",
        }
    return found


def _durations(events: list[dict[str, Any]], parts: Mapping[str, ComponentPlan]) -> dict[str, int]:
    spans: dict[str, float] = {}
    for event in events:
        if event.get("event") == "span":
            spans[event["name"]] = spans.get(event["name"], 0.0) + event["duration_s"]
    found = {
        "change_detection": spans.pop("change_detection", 0.0),
        "builds_total": spans.pop("builds_total", 0.0),
        **{
            f"{part.name}_{what}": spans.pop(f"{part.name}_{what}", 0.0)
            for part in parts.values()
            if part.kind == "node_file"
            for what in ("build_deploy", "reconcile")
        },
        "image_push": spans.pop("image_push", 0.0),
        "helm_upgrade": spans.pop("helm_upgrade", 0.0),
        **{
            f"{part.name}_rollout": spans.pop(f"{part.name}_rollout", 0.0)
            for part in parts.values()
            if part.kind == "chart"
        },
        "readiness_gate": spans.pop("readiness_gate", 0.0),
        **spans,
    }
    clocks = [event["mono"] for event in events if isinstance(event.get("mono"), float)]
    started = [event["started"] for event in events if "started" in event] or clocks[:1]
    found["total"] = clocks[-1] - started[0] if clocks else 0.0
    return {name: round(seconds * 1000) for name, seconds in found.items()}


def _deadline(gate: Event) -> str:
    """The deadline that applied, and who set it; empty if the gate waited for nothing."""
    if not gate.get("deadline_by"):
        return ""
    return f"{gate['deadline_s']:g} s ({gate['deadline_by']})"
