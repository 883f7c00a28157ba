"""``localloop status``: what the cluster runs, by its record and by observation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..config import load_project
from ..facts import Facts
from ..plan import Plan
from ..planning import make_plan
from ..record import ChartEntry
from ..session import Session
from . import Options
from .plan import why


def run(options: Options) -> int:
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ, writes=False)
    plan, facts = make_plan(session, (), full=False, emit=lambda _event: None)
    cluster = session.cluster
    found: dict[str, Any] = {
        "project": project.name,
        "cluster": {
            "name": session.cluster_name,
            "provider": session.provider,
            "verdict": cluster.verdict,
            "reason": cluster.reason,
            "kubeconfig": str(session.kubeconfig),
            "inputs": {
                key: plan.cluster.get(f"inputs_{key}", "")
                for key in ("previous", "current", "state", "transaction")
            },
        },
        "components": _components(session, plan, facts) if facts is not None else {},
    }
    options.console.document(found)
    state = cluster.verdict if cluster.verdict == "ok" else f"{cluster.verdict}: {cluster.reason}"
    inputs = _inputs(plan.cluster)
    options.console.say(
        f"{project.name} on cluster {session.cluster_name} ({session.provider}): {state}"
    )
    options.console.say(f"kubeconfig: {session.kubeconfig}")
    if inputs:
        options.console.say(f"cluster inputs: {inputs}")
    if facts is not None:
        _show(options, found["components"])
    return 0


def _inputs(cluster: Mapping[str, str]) -> str:
    """In words: what is known of the inputs that the cluster was made for."""
    word = cluster.get("inputs")
    if not word:
        return ""
    if word == "accept":
        return "not noted yet: the next deploy accepts them"
    noted = f"{cluster['inputs_state']} by {cluster['inputs_transaction']}"
    if word == "same":
        return noted
    return f"{noted}, changed since ({cluster['reason']}: {cluster['detail']})"


def _components(session: Session, plan: Plan, facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, part in plan.components.items():
        entry: dict[str, Any] = {
            "kind": part.kind,
            "next_deploy": why(part) if part.steps else "nothing to do",
            "fingerprint": part.previous,
        }
        if part.kind == "image":
            image = facts.record.images.get(name)
            entry["digest"] = image.digest if image else ""
            runs = _runs_in(facts, name, entry["digest"])
            entry["transaction"] = runs.target.transaction if runs else ""
        elif part.kind == "node_file":
            file = facts.record.node_files.get(name)
            entry["sha256"] = file.sha256 if file else ""
            entry["transaction"] = file.transaction if file else ""
            entry["pending"] = part.file.pending
            put = [str(note.get("mtime", "")) for note in file.nodes.values()] if file else []
            entry["age_s"] = _age(session, max(put, default=""))
        else:
            chart = facts.record.charts.get(name)
            seen = session.observed.get(name)
            entry["state"] = chart.state if chart else "never_deployed"
            entry["transaction"] = chart.target.transaction if chart else ""
            entry["revision"] = chart.target.revision if chart else 0
            entry["images"] = (
                {image: held["digest"] for image, held in chart.target.images.items()}
                if chart
                else {}
            )
            release = facts.charts[name].release
            entry["age_s"] = _age(session, release.created if release else "")
            entry["drift"] = list(facts.charts[name].drift)
            entry["ready"] = [
                f"{verdict.ref.kind} {verdict.ref.name}: {verdict.detail}"
                for verdict in (seen.objects if seen else ())
                if verdict.ref.kind in ("Deployment", "StatefulSet", "DaemonSet", "Job")
            ]
        found[name] = entry
    return found


def _runs_in(facts: Facts, image: str, digest: str) -> ChartEntry | None:
    """The settled chart that runs an image's digest."""
    for entry in facts.record.charts.values():
        held = entry.target.images.get(image)
        if entry.state == "settled" and held and held["digest"] == digest:
            return entry
    return None


def _age(session: Session, since: str) -> int | None:
    """Whole seconds since a time that the cluster's machine wrote, by the cluster's clock."""
    now = session.kube.server_date
    try:
        return max(0, round((now or 0.0) - datetime.fromisoformat(since).timestamp()))
    except ValueError:
        return None


def _words(seconds: int | None) -> str:
    """``5s``, ``12m``, ``3h``, ``4d``."""
    if seconds is None:
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _show(options: Options, components: dict[str, Any]) -> None:
    rows = [["COMPONENT", "FINGERPRINT", "RUNS", "TRANSACTION", "AGE", "READY", "NEXT DEPLOY"]]
    for name, entry in components.items():
        ready = list(entry.get("ready", ()))
        if entry.get("pending"):
            ready.append(f"pending: {entry['pending']}")
        rows.append(
            [
                name,
                entry["fingerprint"][:12] or "-",
                _runs(entry) or "nothing",
                entry.get("transaction") or "-",
                _words(entry.get("age_s")),
                "; ".join(ready) or "-",
                entry["next_deploy"],
            ]
        )
    options.console.table(rows)


def _runs(entry: dict[str, Any]) -> str:
    if entry["kind"] == "image":
        return str(entry["digest"][7:19])
    if entry["kind"] == "node_file":
        return str(entry["sha256"][:12])
    return f"revision {entry['revision']}"
