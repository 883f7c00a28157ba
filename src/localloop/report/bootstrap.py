"""What a report says about the cluster: whether it was recreated, why, with which inputs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..plan.model import ComponentPlan

Event = Mapping[str, Any]


def cluster_keys(events: Iterable[Event]) -> dict[str, Any]:
    """The cluster's keys of the report's plan: the verdict with which the run began."""
    events = list(events)
    cluster, made = _verdict(events), _made(events)
    verdict, reason = cluster.get("verdict", "unknown"), cluster.get("reason")
    if made is not None and not reason:  # run on its own, a playbook plans once the cluster exists
        reason = "recreate_requested" if made["recreated"] else "cluster_missing"
    detail = cluster.get("detail")
    return {
        "cluster_verdict": verdict,
        "requires_cluster_bootstrap": made is not None or verdict in ("create", "bootstrap"),
        "cluster_bootstrap_reason": (f"{reason}: {detail}" if detail else reason) or "none",
    }


def cluster_fingerprint(events: Iterable[Event]) -> dict[str, Any] | None:
    """previous, current and state_written of the cluster's inputs; None where none are declared."""
    events = list(events)
    known = [plan["cluster"] for plan in _plans(events) if plan["cluster"].get("inputs")]
    if not known:
        return None
    return {
        "previous": known[0]["inputs_previous"],
        "current": known[-1]["inputs_current"],
        "state_written": any(event.get("event") == "cluster_record" for event in events),
    }


def bootstrap_section(
    events: Iterable[Event], parts: Mapping[str, ComponentPlan], total_ms: int
) -> dict[str, Any] | None:
    """The report's bootstrap section; None if the run did not bootstrap. Takes milliseconds."""
    events = list(events)
    opened = next((event for event in events if event.get("event") == "opened"), {})
    verdict, made = _verdict(events).get("verdict"), _made(events)
    if opened.get("command") != "bootstrap" and not made and verdict not in ("create", "bootstrap"):
        return None
    plans = _plans(events)
    plan = plans[-1] if plans else {}
    recreated = made is not None and bool(made["recreated"])
    if made is not None:
        mode = "recreate" if recreated else "create"
    elif verdict == "create":
        mode = "create"
    else:
        wanted = verdict == "bootstrap" or opened.get("bootstrap") == "recreate"
        mode = "recreate" if wanted else "reuse"
    base = f"{plan['registry']}/{plan['project']}" if plan.get("registry") else ""
    return {
        "transaction_id": opened.get("transaction", ""),
        "timestamp_utc": opened.get("at", ""),
        "mode": mode,
        "cluster_name": opened.get("cluster_name", ""),
        "image_repo_base": base,
        "image_tag": "by content",
        "recreated_cluster": recreated,
        **{
            f"pushed_{part.name}": part.changed and "publish" in part.steps
            for part in parts.values()
            if part.kind != "chart"
        },
        "built_cluster_image": any(
            (event.get("event"), event.get("step"), event.get("component"))
            == ("result", "node_image", "cluster")
            for event in events
        ),
        "total_duration_seconds": round(total_ms / 1000, 3),
    }


def _plans(events: Iterable[Event]) -> list[Mapping[str, Any]]:
    return [event["plan"] for event in events if event.get("event") == "plan"]


def _verdict(events: Iterable[Event]) -> Mapping[str, str]:
    plans = _plans(events)
    found: Mapping[str, str] = plans[0]["cluster"] if plans else {}
    return found


def _made(events: Iterable[Event]) -> Event | None:
    """The event of a cluster that this run created; None if it created none."""
    return next(
        (
            event
            for event in events
            if event.get("event") == "cluster_record" and event.get("state") == "bootstrapped"
        ),
        None,
    )
