"""Reports: golden markdown of whole runs, the seed's keys, and hostile texts in them.

After a wanted change: ``LOCALLOOP_GOLDEN=write pytest tests/unit/test_report.py``, then read the
difference.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localloop.errors import BusyError, InterruptedRun, LocalloopError, UsageError
from localloop.plan.model import ComponentPlan, Plan, Reason
from localloop.registry.published import PublishedImage
from localloop.report.content import build_report, outcome_of, write_report
from localloop.report.markdown import clean, render

GOLDEN = Path(__file__).parent / "fixtures" / "reports"
Event = dict[str, Any]

OLD = PublishedImage("127.0.0.1:5001/relay/gateway", "sha256:" + "1" * 64)
NEW = replace(OLD, digest="sha256:" + "2" * 64)

GATEWAY = ComponentPlan(
    "gateway",
    "image",
    steps=("build", "publish"),
    reasons=(Reason("inputs_changed", "changed crates/gateway/src/main.rs"),),
    fingerprint="b" * 64,
    previous="a" * 64,
    changes={
        "changed": {"count": 1, "first": ["crates/gateway/src/main.rs"]},
        "added": {"count": 2, "first": ["x", "y"]},
    },
)
RELAY = ComponentPlan(
    "relay",
    "chart",
    steps=("release",),
    reasons=(Reason("consumes", "gateway"),),
    fingerprint="c" * 64,
    previous="c" * 64,
    consumes=("gateway",),
    deployed={"gateway": OLD},
    only_if_digest_differs=True,
    base_revision=3,
)


def plan(*components: ComponentPlan, **changes: Any) -> Plan:
    known: dict[str, Any] = {
        "project": "relay",
        "root": "/project",
        "profile": "local-fast",
        "mode": "auto",
        "targets": (),
        "cluster": {"verdict": "ok", "reason": ""},
        "components": {part.name: part for part in components},
    }
    return Plan(**{**known, **changes})


def opened(**changes: Any) -> Event:
    return {
        "event": "opened",
        "transaction": "tx-20260101-120000-abcdef",
        "command": "deploy",
        "project": "relay",
        "cluster_name": "relay",
        "container_name": "relay-control-plane",
        "mode": "auto",
        "profile": "local-fast",
        "targets": [],
        "readiness_timeout_seconds": 90,
        **changes,
    }


def planned(found: Plan) -> Event:
    return {"event": "plan", "plan": json.loads(json.dumps(found.as_dict()))}


def span(name: str, seconds: float) -> Event:
    return {"event": "span", "name": name, "duration_s": seconds}


def journal(*events: Event) -> list[Event]:
    """The events with timestamps a quarter of a second apart."""
    return [
        {"at": f"2026-01-01T12:00:{n:02}.000Z", "mono": 1000.0 + n / 4, **event}
        for n, event in enumerate(events)
    ]


def failed(error: LocalloopError) -> Event:
    return {"event": "failed", "error": error.as_dict()}


CLOSED: Event = {"event": "closed"}
PRUNED = planned(
    plan(replace(GATEWAY, steps=("prune",), changed=True, removes=(OLD.digest,)), mode="prune")
)
READY: Event = {
    "event": "gate",
    "status": "ready",
    "reason": "",
    "objects": [
        {
            "ref": "apps/v1/Deployment/relay/gateway",
            "state": "ready",
            "detail": "1/1",
            "first_ready_s": 1.25,
            "verdict_s": 3.25,
        },
        {"ref": "v1/Service/relay/gateway", "state": "ready", "detail": ""},
    ],
    "deadline_s": 90.0,
    "deadline_by": "readiness.timeout",
    "warnings": ["gateway: no readiness probe"],
    "not_gated": ["batch/v1/CronJob/relay/nightly"],
}
NOT_READY: Event = {
    "event": "gate",
    "status": "failed",
    "reason": "crash_loop:gateway",
    "diagnosis": {"cause": "out_of_memory"},
    "objects": [
        {
            "ref": "apps/v1/Deployment/relay/gateway",
            "state": "failed",
            "detail": "gateway-1: CrashLoopBackOff",
        }
    ],
    "evidence": [
        {
            "ref": "apps/v1/Deployment/relay/gateway",
            "pods": [],
            "events": [
                {
                    "object": "Pod/gateway-1",
                    "reason": "BackOff",
                    "message": "Back-off restarting",
                    "count": 3,
                    "at": "",
                }
            ],
        }
    ],
}
RELEASED = replace(RELAY, images={"gateway": NEW}, changed=True, revision=4)
BUILT = replace(GATEWAY, image=NEW, changed=True)


def deployed_run() -> list[Event]:
    return journal(
        opened(),
        planned(plan(GATEWAY, RELAY)),
        span("change_detection", 0.0421),
        span("builds_total", 2.5),
        span("image_push", 0.2),
        planned(plan(BUILT, replace(RELAY, images={"gateway": NEW}))),
        span("helm_upgrade", 0.75),
        planned(plan(BUILT, RELEASED)),
        span("relay_rollout", 3.1),
        span("readiness_gate", 3.4),
        READY,
        {"event": "settled", "components": ["gateway", "relay"]},
        span("playbook", 7.0),
        CLOSED,
    )


def unchanged_run() -> list[Event]:
    image = replace(GATEWAY, steps=(), reasons=(), changes={}, previous="b" * 64, image=OLD,
                    skip="unchanged")  # fmt: skip
    chart = replace(RELAY, steps=(), reasons=(), skip="unchanged", images={"gateway": OLD})
    return journal(
        opened(),
        planned(plan(image, chart)),
        span("change_detection", 0.03),
        {**READY, "warnings": [], "not_gated": []},
        span("readiness_gate", 0.01),
        CLOSED,
    )


def failed_run() -> list[Event]:
    error = LocalloopError(
        "crash_loop:gateway",
        "not ready: crash_loop:gateway (gateway-1: CrashLoopBackOff)",
        component="relay",
        hint="Mend the cause and run the deploy again; nothing was rolled back.",
    )
    return journal(*deployed_run()[:9], NOT_READY, failed(error), CLOSED)


def killed_run() -> list[Event]:
    return [*deployed_run()[:3], {"event": "closed", "outcome": "killed", "mono": 1000.5}]


def explicit_run() -> list[Event]:
    """The seed's explicit rerun: built, the digest is the running one, nothing is released."""
    image = replace(GATEWAY, reasons=(Reason("targeted"),), changes={}, image=OLD, changed=True)
    chart = replace(RELAY, steps=(), reasons=(), skip="digest_already_deployed")
    targeted = {"targets": ("gateway",)}
    return journal(
        opened(targets=["gateway"]), planned(plan(image, chart, **targeted)), READY, CLOSED
    )


def bootstrap_run() -> list[Event]:
    """Inputs changed under a target: built on the old cluster, deployed to the new one."""
    inputs = {"inputs_previous": "d" * 64, "inputs_current": "e" * 64}
    due = {"verdict": "bootstrap", "reason": "cluster_inputs_changed", "inputs": "changed"}
    first = {**due, **inputs, "detail": "changed deploy/cluster/node.conf"}
    recreated = {
        "verdict": "ok",
        "reason": "",
        "inputs": "same",
        **inputs,
        "inputs_previous": "e" * 64,
    }
    note = {"fingerprint": "e" * 64, "state": "bootstrapped", "transaction": "tx"}
    where = {"registry": "127.0.0.1:5001"}
    return journal(
        opened(targets=["gateway"], bootstrap="auto"),
        planned(plan(GATEWAY, RELAY, cluster=first, targets=("gateway",), **where)),
        span("builds_total", 2.5),
        planned(plan(BUILT, RELAY, cluster=first, targets=("gateway",), **where)),
        {"event": "result", "step": "node_image", "component": "cluster", "changed": True},
        {"event": "cluster_record", **note, "recreated": True},
        planned(plan(BUILT, RELAY, cluster=recreated, **where)),
        planned(plan(BUILT, RELEASED, cluster=recreated, **where)),
        READY,
        {"event": "settled", "components": ["gateway", "relay"]},
        CLOSED,
    )


RUNS = {
    "bootstrap": bootstrap_run,
    "deployed": deployed_run,
    "unchanged": unchanged_run,
    "failed": failed_run,
    "killed": killed_run,
    "explicit": explicit_run,
}


def test_what_helm_said_beyond_the_message_is_in_the_report() -> None:
    error = LocalloopError("release_failed:relay", "helm upgrade failed", component="relay")
    lines = ["Error: values don't meet the schema", *(f"- at '/a{n}': missing" for n in range(60))]
    said = {"event": "helm_output", "component": "relay", "lines": [*lines, "``` \x1b[2J"]}
    report = build_report(journal(*deployed_run()[:6], said, failed(error), CLOSED))
    assert report["evidence"].startswith("helm, relay\n  Error: values don't meet the schema\n")
    shown = render(report)
    evidence = shown.partition("## Evidence")[2]
    assert all(f"  {line}\n" in evidence for line in lines)
    assert evidence.count("```") == 2  # no line of it ends the block
    assert "\x1b" not in shown


def test_evidence_of_a_failed_helm_run() -> None:
    """Gathered by the release; no gate has run. That of the rollback's own failure comes after."""

    def evidence_event(line: str) -> Event:
        event = {"object": "Job/slow", "reason": "Odd", "message": line, "count": 1}
        return {"event": "evidence", "evidence": [{"ref": "J", "pods": [], "events": [event]}]}

    error = LocalloopError("release_failed:relay", "helm upgrade failed", component="relay")
    events = [
        *deployed_run()[:6],
        evidence_event("first"),
        evidence_event("second"),
        failed(error),
        CLOSED,
    ]
    report = build_report(journal(*events))
    assert report["evidence"] == ("J\n  event Job/slow Odd: first\nJ\n  event Job/slow Odd: second")
    assert report["readiness"]["readiness_gate_status"] == "not_run"
    assert "## Evidence" in render(report)


@pytest.mark.parametrize("name", RUNS)
def test_golden(name: str) -> None:
    path = GOLDEN / f"{name}.md"
    markdown = render(build_report(RUNS[name]()))
    if os.environ.get("LOCALLOOP_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(markdown, encoding="utf-8")
    assert markdown == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RUNS)
def test_report_is_plain_data_and_reproducible(name: str) -> None:
    first, second = (json.dumps(build_report(RUNS[name]())) for _ in range(2))
    assert first == second
    assert json.loads(first) == build_report(RUNS[name]())


# The keys of the reference's reports, under this project's names. Its supervisor_* keys come with
# node files.
HEADER = {
    "transaction_id", "timestamp_utc", "cluster_name", "container_name", "explicit_target",
    "targets_requested", "deploy_fast_mode", "cargo_build_profile", "changed_files_count",
}  # fmt: skip
PLAN = {
    "build_gateway", "helm_upgrade", "force_helm_upgrade", "helm_requested_by_gateway_build",
    "gateway_reconcile_skipped", "gateway_reconcile_skip_reason", "readiness_timeout_seconds",
    "readiness_poll_seconds", "requires_cluster_bootstrap", "cluster_bootstrap_reason",
}  # fmt: skip
DURATIONS = {
    "change_detection", "builds_total", "image_push", "helm_upgrade", "readiness_gate", "total",
}  # fmt: skip


BOOTSTRAP = {
    "transaction_id", "timestamp_utc", "mode", "cluster_name", "image_repo_base", "image_tag",
    "recreated_cluster", "pushed_gateway", "built_cluster_image", "total_duration_seconds",
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_keys_of_the_reference(name: str) -> None:
    report = build_report(RUNS[name]())
    header = report["header"]
    assert set(header) >= HEADER
    assert header["deploy_fast_mode"] == header["mode"] == "auto"
    assert header["cargo_build_profile"] == header["profile"] == "local-fast"
    assert set(report["plan"]) >= PLAN
    assert set(report["durations_ms"]) >= DURATIONS
    for component in ("gateway", "relay"):
        assert set(report["fingerprints"][component]) == {"previous", "current", "state_written"}
    assert set(report["digests"]["gateway"]) == {"deployed_before", "target_after_push"}
    assert set(report["readiness"]) >= {"readiness_gate_status", "readiness_failure_reason"}


def test_deployed() -> None:
    report = build_report(deployed_run())
    assert (report["outcome"], report["exit_code"]) == ("deployed", 0)
    assert report["header"]["changed_files_count"] == 3
    assert report["plan"]["helm_requested_by_gateway_build"] is True
    assert report["digests"]["gateway"] == {
        "deployed_before": OLD.digest,
        "target_after_push": NEW.digest,
    }
    assert report["fingerprints"]["gateway"]["state_written"] is True
    assert report["durations_ms"]["relay_rollout"] == 3100
    assert report["durations_ms"]["total"] == 3250


def test_the_total_counts_from_the_start_of_the_run() -> None:
    events = deployed_run()
    assert events[0]["mono"] == 1000.0
    events[0]["started"] = 999.25
    assert build_report(events)["durations_ms"]["total"] == 4000
    del events[0]["started"]  # a journal of an earlier version, whose run was killed
    assert build_report(events)["durations_ms"]["total"] == 3250


def test_bootstrap() -> None:
    report = build_report(bootstrap_run())
    found = report["bootstrap"]
    assert set(found) >= BOOTSTRAP
    assert found["mode"] == "recreate"
    assert found["image_repo_base"] == "127.0.0.1:5001/relay"
    assert (found["recreated_cluster"], found["pushed_gateway"]) == (True, True)
    assert found["built_cluster_image"] is True
    assert found["total_duration_seconds"] == report["durations_ms"]["total"] / 1000
    # The requested targets, although the new cluster was planned without any.
    assert report["header"]["targets_requested"] == "gateway"
    assert report["plan"]["requires_cluster_bootstrap"] is True
    assert report["plan"]["cluster_verdict"] == "bootstrap"
    reason = "cluster_inputs_changed: changed deploy/cluster/node.conf"
    assert report["plan"]["cluster_bootstrap_reason"] == reason
    assert report["fingerprints"]["cluster_infra"] == {
        "previous": "d" * 64,
        "current": "e" * 64,
        "state_written": True,
    }


CREATE = {"verdict": "create", "reason": "cluster_missing"}
MADE = {"event": "cluster_record", "state": "bootstrapped", "recreated": False}


@pytest.mark.parametrize(
    ("events", "mode", "reason"),
    [
        ([opened(), planned(plan(cluster=CREATE)), MADE, CLOSED], "create", "cluster_missing"),
        ([opened(), planned(plan(cluster=CREATE)), CLOSED], "create", "cluster_missing"),
        # Run on its own, a playbook plans once the cluster exists.
        ([opened(), MADE, planned(plan()), CLOSED], "create", "cluster_missing"),
        ([opened(command="bootstrap"), planned(plan()), CLOSED], "reuse", "none"),
        ([opened(command="bootstrap", bootstrap="recreate"), CLOSED], "recreate", "none"),
        ([opened(), planned(plan()), CLOSED], None, "none"),
    ],
)
def test_what_counts_as_a_bootstrap(events: list[Event], mode: str | None, reason: str) -> None:
    report = build_report(journal(*events))
    assert (report["bootstrap"] or {"mode": None})["mode"] == mode
    assert report["plan"]["cluster_bootstrap_reason"] == reason
    assert report["plan"]["requires_cluster_bootstrap"] == (mode == "create")


def test_explicit_rerun_with_equal_bytes() -> None:
    found = build_report(explicit_run())
    assert found["header"]["explicit_target"] is True
    assert found["header"]["targets_requested"] == "gateway"
    assert found["plan"]["gateway_reconcile_skipped"] is True
    assert found["plan"]["gateway_reconcile_skip_reason"] == "digest_already_deployed"
    assert found["plan"]["helm_upgrade"] is False


def test_spans_of_one_name_add_up() -> None:
    events = journal(opened(), span("builds_total", 1.25), span("builds_total", 0.5))
    assert build_report(events)["durations_ms"]["builds_total"] == 1750


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([], ("failed", 1)),
        ([CLOSED], ("failed", 1)),
        ([READY, CLOSED], ("unchanged", 0)),
        ([READY, {"event": "settled", "components": []}, CLOSED], ("deployed", 0)),
        ([READY, NOT_READY, CLOSED], ("failed", 1)),
        ([{"event": "gate", "status": "unknown"}, CLOSED], ("failed", 1)),
        ([failed(LocalloopError("x", "x")), CLOSED], ("failed", 1)),
        ([READY, failed(LocalloopError("x", "x")), CLOSED], ("failed", 1)),
        ([failed(UsageError("x", "x")), CLOSED], ("refused", 2)),
        ([failed(BusyError("x", "x")), CLOSED], ("busy", 75)),
        ([failed(InterruptedRun("x", "x")), CLOSED], ("interrupted", 130)),
        ([{"event": "closed", "outcome": "killed"}], ("killed", 137)),
        ([opened(command="down"), {"event": "removed"}, CLOSED], ("removed", 0)),
        ([opened(command="down"), CLOSED], ("unchanged", 0)),
        ([opened(command="prune"), PRUNED, CLOSED], ("pruned", 0)),
        ([opened(command="prune"), CLOSED], ("unchanged", 0)),
    ],
)
def test_outcome(events: list[Event], wanted: tuple[str, int]) -> None:
    assert outcome_of(events) == wanted


# -- hostile texts --------------------------------------------------------------------------------


def hostile_report(text: str) -> str:
    found = plan(
        replace(GATEWAY, reasons=(Reason("inputs_changed", text),)),
        replace(RELAY, steps=(), reasons=(), skip="unchanged", warnings=(text,), untracked=(text,)),
    )
    found = replace(found, unchecked=(text,))
    gate = {
        "event": "gate",
        "status": "failed",
        "reason": text,
        "objects": [{"ref": text, "state": "failed", "detail": text}],
        "warnings": [text],
        "not_gated": [text],
    }
    error = LocalloopError(text, text, component=text, hint=text)
    return render(
        build_report(journal(opened(cluster_name=text), planned(found), gate, failed(error)))
    )


HOSTILE = {
    "escape sequences": "\x1b[31mred\x1b[0m\x07\x9b2J",
    "direction marks": "a\u202etxt.exe\u2066b",
    "carriage return": "ok\rFAILED",
    "backticks": "`code` ``x``",
    "fence": "```\n# Deployed\n```",
    "longer fence": "`````\n# Deployed\n~~~",
    "pipes": "a | b || c",
    "html": "<script>alert(1)</script><img src=x onerror=y>",
    "link": "[click](javascript:alert(1)) ![i](http://x/y.png)",
    "heading": "x\n# Deploy report\n- outcome: deployed",
    "table": "x |\n|---|\n| y",
    "surrogate": "caf\udce9.txt",
    "template": "{{ lookup('pipe','id') }}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts(name: str, tmp_path: Path) -> None:
    markdown = hostile_report(HOSTILE[name])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", markdown)
    outside: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        if re.match(r" {0,3}(`{3,}|~{3,})", line):
            # Only our own fences open or close a block.
            if line.startswith("```"):
                assert line == ("```" if fenced else "```text"), line
                fenced = not fenced
            else:
                assert fenced, line
        elif not fenced:
            outside.append(line)
    assert not fenced
    headings = [line for line in outside if line.startswith("#")]
    assert headings == [
        "# Deploy report tx-20260101-120000-abcdef",
        "## Failure",
        "## Plan",
        "## Reasons",
        "## Fingerprints",
        "## gateway Digests",
        "## Readiness",
        "## Durations",
    ]
    assert outside.count("- outcome: failed") == 1
    assert not any(line.startswith("- outcome: deployed") for line in outside)
    rows = [line for line in outside if line.startswith("|")]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows)
    for line in outside:
        prose = re.sub(r"`[^`]*`", "", line)
        assert "`" not in prose
        assert not re.search(r"[<>\[\]!{}]", prose), line


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("a\tb\nc", "a\tb\nc"), ("\x00a\x1b[0m\x7f\u202e", "a[0m"), ("ä…€", "ä…€")],
)
def test_clean(text: str, wanted: str) -> None:
    assert clean(text) == wanted


# -- files ----------------------------------------------------------------------------------------


def write_journal(directory: Path, events: list[Event]) -> Path:
    path = directory / "tx-20260101-120000-abcdef.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_write_report(tmp_path: Path) -> None:
    path = write_report(write_journal(tmp_path, deployed_run()))
    assert path.name == "tx-20260101-120000-abcdef.md"
    assert path.read_text(encoding="utf-8") == (GOLDEN / "deployed.md").read_text(encoding="utf-8")
    assert json.loads(path.with_suffix(".json").read_text()) == build_report(deployed_run())
    assert sorted(entry.suffix for entry in tmp_path.iterdir()) == [".json", ".md"]


def test_killed_run(tmp_path: Path) -> None:
    path = write_report(write_journal(tmp_path, deployed_run()[:3]), killed=True)
    assert path.read_text(encoding="utf-8") == (GOLDEN / "killed.md").read_text(encoding="utf-8")


def test_a_finished_run_was_not_killed(tmp_path: Path) -> None:
    # Its report could not be written, so the next run writes it.
    path = write_report(write_journal(tmp_path, deployed_run()), killed=True)
    assert json.loads(path.with_suffix(".json").read_text())["outcome"] == "deployed"


def test_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    changed = replace(GATEWAY, reasons=(Reason("inputs_changed", "changed caf\udce9.txt"),))
    path = write_report(write_journal(tmp_path, journal(opened(), planned(plan(changed)), CLOSED)))
    assert "changed caf\\udce9.txt" in path.read_text(encoding="utf-8")
    assert json.loads(path.with_suffix(".json").read_text())["components"]["gateway"]["reasons"]


def test_directory_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_journal(tmp_path, failed_run())
    path.with_suffix(".json").mkdir()
    with pytest.raises(LocalloopError) as caught:
        write_report(path)
    assert caught.value.reason == "report_unwritable"
    assert "errno" in caught.value.message
    assert path.exists()
    assert capsys.readouterr().err.startswith("# Deploy report tx-20260101-120000-abcdef\n")


def test_the_documentation_has_every_outcome() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/reports.md").read_text("utf-8")
    table = page.partition("\n## Outcomes\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(shown) == sorted(re.findall(r"``(\w+)``", outcome_of.__doc__ or ""))
