"""What the cluster runs, by its record and by observation: as plain data and as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..helm.releases import all_releases
from ..observe.facts import Facts, Request
from ..observe.others import left_behind
from ..observe.running import Running, running_charts
from ..plan.make import make_plan
from ..plan.model import Plan
from ..plan.summary import images_text
from ..record.model import ChartEntry
from ..session import Session

Status = dict[str, Any]
"""``project``, ``cluster`` ({name, provider, context, why, images, verdict, reason, nodes,
kubernetes, image, ports, kubeconfig, inputs}), ``components`` (empty if no cluster is running) and
``left_behind``, releases as NAMESPACE/RELEASE."""

# The reasons in a plan for what has been changed by hand since it was deployed.
_DRIFT = ("drift", "pods_run_another_digest")


def what_runs(session: Session) -> Status:
    """The status of the project on its cluster; changes and writes nothing.

    Raises ``LocalloopError`` if Docker or a running cluster does not answer.
    """
    plan, facts = make_plan(session, Request(), emit=lambda _event: None)
    cluster = session.cluster
    keys = ("previous", "current", "state", "transaction")
    silent = plan.cluster["reason"] == "cluster_not_answering"
    state = plan.cluster if silent else {"verdict": cluster.verdict, "reason": cluster.reason}
    left = left_behind(all_releases(session.kube), session.project) if facts is not None else []
    return {
        "project": session.project.name,
        "cluster": {
            "name": cluster.name,
            "provider": session.provider.name,
            "context": session.context,
            "why": plan.provider["why"],
            "images": images_text(plan),
            "verdict": state["verdict"],
            "reason": state["reason"],
            "nodes": [node.name for node in cluster.nodes],
            "kubernetes": cluster.kubernetes,
            "image": cluster.image,
            "ports": list(cluster.published),
            "kubeconfig": str(session.kubeconfig),
            "inputs": {key: plan.cluster.get(f"inputs_{key}", "") for key in keys}
            | {"summary": _inputs_text(plan.cluster)},
        },
        "components": _components(session, plan, facts) if facts is not None else {},
        "left_behind": [release.place for release in left],
    }


def cluster_lines(status: Status) -> list[str]:
    """The cluster in lines of text: its state, its kubeconfig, its inputs."""
    cluster = status["cluster"]
    name, provider = cluster["name"], cluster["provider"]
    state = "ok" if cluster["verdict"] == "ok" else f"{cluster['verdict']}: {cluster['reason']}"
    inputs = cluster["inputs"]["summary"]
    version = f"Kubernetes {cluster['kubernetes']}" if cluster["kubernetes"] else ""
    made = ", ".join(filter(None, (version, cluster["image"])))
    return [
        f"{status['project']} on cluster {name} ({provider}): {state}",
        f"chosen because {cluster['why']}",
        f"images: {cluster['images']}",
        *([f"nodes: {', '.join(cluster['nodes'])} ({made})"] if cluster["nodes"] else []),
        *([f"ports: {', '.join(cluster['ports'])}"] if cluster["ports"] else []),
        f"kubeconfig: {cluster['kubeconfig']}",
        *([f"cluster inputs: {inputs}"] if inputs else []),
    ]


def left_behind_lines(status: Status) -> list[str]:
    """A line for each release that the project has left behind, and how to remove it."""
    places = [place.partition("/") for place in status["left_behind"]]
    return [
        f"left behind: release {namespace}/{release}, which no chart of localloop.yml names any"
        f" more (to remove it: helm -n {namespace} uninstall {release};"
        " `localloop down` does so with the rest)"
        for namespace, _, release in places
    ]


def table(status: Status) -> list[list[str]]:
    """The header and a row for each component; empty if no cluster is running."""
    rows = [["COMPONENT", "FINGERPRINT", "RUNS", "TRANSACTION", "AGE", "READY", "NEXT DEPLOY"]]
    for name, entry in status["components"].items():
        rows.append(
            [
                name,
                entry["fingerprint"][:12] or "-",
                runs_text(entry),
                entry.get("transaction") or "-",
                _age_text(entry.get("age_s")),
                "; ".join(_ready(entry)) or "-",
                entry["next_deploy"],
            ]
        )
    return rows if len(rows) > 1 else []


def summary(status: Status, component: str) -> str:
    """One component in a line of text, like its row in the table."""
    entry = status["components"].get(component)
    if entry is None:
        return f"nothing runs: {status['cluster']['reason'] or 'not planned'}"
    age = entry.get("age_s")
    parts = [
        f"runs {runs_text(entry)}",
        *([entry["transaction"]] if entry.get("transaction") else []),
        *([f"{_age_text(age)} old"] if age is not None else []),
        *_ready(entry),
        f"next deploy: {entry['next_deploy']}",
    ]
    return "; ".join(parts)


def _inputs_text(cluster: Mapping[str, str]) -> str:
    """What is known of the inputs that the cluster was created for, as text."""
    word = cluster.get("inputs")
    if not word:
        return ""
    if word == "accept":
        return "not recorded yet: the next deploy accepts them"
    noted = f"{cluster['inputs_state']} by {cluster['inputs_transaction']}"
    if word == "same":
        return noted
    return f"{noted}, changed since ({cluster['reason']}: {cluster['detail']})"


def _components(session: Session, plan: Plan, facts: Facts) -> dict[str, Any]:
    running = running_charts(session, facts)
    found: dict[str, Any] = {}
    for name, part in plan.components.items():
        entry: dict[str, Any] = {
            "kind": part.kind,
            "next_deploy": "; ".join(map(str, part.reasons)) if part.steps else "nothing to do",
            "fingerprint": part.previous,
        }
        if part.kind == "image":
            entry |= image_row(name, facts, running)
            entry["age_s"] = _age(session, entry.pop("created"))
        elif part.kind == "node_file":
            file = facts.record.node_files.get(name)
            entry["sha256"] = file.sha256 if file else ""
            entry["transaction"] = file.transaction if file else ""
            entry["pending"] = part.file.pending
            put = [str(note.get("mtime", "")) for note in file.nodes.values()] if file else []
            entry["age_s"] = _age(session, max(put, default=""))
        else:
            runs = running.get(name)
            entry |= _chart_row(facts.record.charts.get(name), runs)
            entry["drift"] = [reason.detail for reason in part.reasons if reason.name in _DRIFT]
            entry["age_s"] = _age(session, runs.created if runs else "")
        found[name] = entry
    return found


def _chart_row(entry: ChartEntry | None, runs: Running | None) -> dict[str, Any]:
    state = runs.state if runs else None
    return {
        "state": entry.state if entry else "never_deployed",
        "fingerprint": state.fingerprint if state else "",
        "transaction": state.transaction if state else "",
        "revision": state.revision if state else 0,
        "images": {image: held.digest for image, held in state.images.items()} if state else {},
        "ready": list(runs.ready) if runs else [],
    }


def image_row(name: str, facts: Facts, running: Mapping[str, Running]) -> dict[str, Any]:
    """What the charts that consume an image run of it; without such charts, what was last built.

    ``charts`` has the digest in each chart; the other values are those of the newest of them. The
    fingerprint is known only for the digest that was built last.
    """
    built = facts.record.images.get(name)
    consumed = any(name in chart.consumes for chart in facts.charts.values())
    using = {chart: runs for chart, runs in running.items() if name in runs.state.images}
    digests = {chart: runs.state.images[name].digest for chart, runs in using.items()}
    newest = max(using, key=lambda chart: using[chart].created, default="")
    digest = digests.get(newest, "")
    if not consumed and not using and built:
        digest = built.image.digest
    settling = any(facts.record.charts[chart].state == "settling" for chart in using)
    return {
        "state": "settling" if settling else "settled" if using else "",
        "fingerprint": built.fingerprint if built and built.image.digest == digest else "",
        "digest": digest,
        "charts": digests,
        "transaction": using[newest].state.transaction if newest else "",
        "created": using[newest].created if newest else "",
    }


def _age(session: Session, since: str) -> int | None:
    """Whole seconds since a time that the cluster recorded, by the cluster's clock."""
    now = session.kube.server_date
    try:
        return max(0, round((now or 0.0) - datetime.fromisoformat(since).timestamp()))
    except ValueError:
        return None


def _age_text(seconds: int | None) -> str:
    """``5s``, ``12m``, ``3h``, ``4d``."""
    if seconds is None:
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def runs_text(entry: Mapping[str, Any]) -> str:
    """What runs of a component, as a short text: revision or digests, and marks."""
    if entry["kind"] == "node_file":
        return str(entry["sha256"][:12]) or "nothing"
    if entry["kind"] == "image":
        digests = dict.fromkeys((entry["digest"], *entry["charts"].values()))
        words = ", ".join(digest[7:19] for digest in digests if digest)
    else:
        words = f"revision {entry['revision']}" if entry["transaction"] else ""
    marks = ["settling"] if entry["state"] == "settling" else []
    marks += ["drift"] if entry.get("drift") else []
    return (words or "nothing") + (f" ({', '.join(marks)})" if marks else "")


def _ready(entry: Mapping[str, Any]) -> list[str]:
    pending = entry.get("pending")
    return [*entry.get("ready", ()), *([f"pending: {pending}"] if pending else [])]
