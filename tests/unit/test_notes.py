"""What is noted of a release, at once or long after Helm, and what the gate makes of the notes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import FakeApi

from localloop.config.model import Chart
from localloop.config.project import load_project
from localloop.gate import run as gating
from localloop.helm.live import live_release
from localloop.helm.releases import TRANSACTION_LABEL
from localloop.kube.objects import object_version
from localloop.observe.charts import chart_facts, releases, snapshot
from localloop.observe.charts import note_late as _note_late
from localloop.observe.facts import ChartFacts
from localloop.plan.model import ComponentPlan, Plan
from localloop.record.model import NAMESPACE, ChartState, Record, encode
from localloop.record.notes import note_release as _note_release
from localloop.registry.published import PublishedImage
from localloop.session import Session

Object = dict[str, Any]
A, B = (PublishedImage("r/web", f"sha256:{x * 64}") for x in "ab")
BEGAN = "2026-01-01T00:00:00Z"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


@pytest.fixture
def session(api: FakeApi, tmp_path: Path) -> Session:
    charts = {name: {"path": "chart", "namespace": "app"} for name in ("page", "other")}
    config = {"version": 1, "project": "hello", "charts": charts, "readiness": {"timeout": 1}}
    (tmp_path / "localloop.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 0.1.0\n")
    made = Session(load_project(tmp_path), {})
    made.kube = api.kube()
    return made


def obj(kind: str, name: str, namespace: str = "app", **body: Any) -> Object:
    version = {"Job": "batch/v1", "Deployment": "apps/v1"}.get(kind, "v1")
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


PAGE = obj("ConfigMap", "page", data={"title": "hello"})
EDITED = obj("ConfigMap", "page", data={"title": "by hand"})
SERVICE = obj("Service", "web", spec={"clusterIP": "10.0.0.1"})
JOB = obj("Job", "once", spec={})


def pod(name: str, image: PublishedImage) -> Object:
    container = {"name": "main", "image": "r/web:1", "readinessProbe": {"exec": {}}}
    status = {"name": "main", "imageID": image.ref, "state": {"running": {}}}
    ready = {"type": "Ready", "status": "True"}
    found: Object = {"phase": "Running", "conditions": [ready], "containerStatuses": [status]}
    return obj("Pod", name, spec={"containers": [container]}, status=found)


def release(api: FakeApi, *objects: Object, name: str = "page") -> None:
    """Helm's Secret of revision 1, with a manifest of these objects."""
    manifest = "".join(f"---\n{json.dumps(each)}\n" for each in objects)
    inner = base64.b64encode(json.dumps({"manifest": manifest}).encode())
    secret = obj("Secret", f"sh.helm.release.v1.{name}.v1", data={"release": ""})
    secret["data"]["release"] = base64.b64encode(inner).decode()
    secret["metadata"]["creationTimestamp"] = BEGAN
    secret["metadata"]["labels"] = {
        **{"owner": "helm", "name": name, "version": "1", "status": "deployed"},
        TRANSACTION_LABEL: "tx-1",
    }
    api.put(secret)


def note_release(session: Session, chart: Chart, state: ChartState) -> ChartState:
    return _note_release(session.kube, live_release(session.kube, chart), state)


def note_late(session: Session, chart: Chart, state: ChartState) -> tuple[ChartState, list[str]]:
    return _note_late(session, state, live_release(session.kube, chart))


def job_event(reason: str) -> Object:
    event = obj("Event", reason.lower(), reason=reason)
    event["metadata"]["creationTimestamp"] = BEGAN
    event["involvedObject"] = {"kind": "Job", "name": "once", "uid": "uid-once"}
    return event


def target(image: dict[str, str] | None = None) -> ChartState:
    return ChartState("tx-1", "fp", {"web": image} if image else {})


def recorded(api: FakeApi, **charts: ChartState) -> Record:
    """The record of a run that was on its way to these states."""
    record = Record("hello", serial=1)
    for name, state in charts.items():
        record = record.unsettle(name, state)
    data = {"record": base64.b64encode(encode(record)).decode()}
    api.put(obj("Secret", "hello", NAMESPACE, data=data))
    return record


def gated(session: Session, *names: str) -> str:
    """Gate these charts; the reason of a failure, or an empty string."""
    parts = {name: ComponentPlan(name, "chart", steps=("settle",)) for name in names}
    plan = Plan("hello", "", "", "auto", (), {"verdict": "ok"}, parts)
    try:
        gating.run(session, plan, lambda _event: None)
    except gating.NotReadyError as error:
        return error.reason
    return ""


# -- notes ----------------------------------------------------------------------------------------


def test_what_is_gone_already_is_noted_all_the_same(session: Session, api: FakeApi) -> None:
    release(api, PAGE, SERVICE, JOB)
    api.put(PAGE)
    noted = note_release(session, session.project.charts["page"], target())
    live = api.objects["/api/v1/namespaces/app/configmaps/page"]
    assert noted.objects == {
        "v1/ConfigMap/app/page": object_version(live),
        "v1/Service/app/web": {},
        "batch/v1/Job/app/once": {},
    }


def test_long_after_helm_only_the_manifests_fields_are_noted(
    session: Session, api: FakeApi
) -> None:
    twin = obj("ConfigMap", "page", "elsewhere", data={"title": "another"})
    release(api, PAGE, twin, SERVICE)
    api.put(EDITED, twin)
    noted, drift = note_late(session, session.project.charts["page"], target())
    assert set(drift) == {"ConfigMap page: data.title", "Service web is gone"}
    assert noted.objects == {
        "v1/ConfigMap/app/page": {},
        "v1/ConfigMap/elsewhere/page": object_version(
            api.objects["/api/v1/namespaces/elsewhere/configmaps/page"]
        ),
        "v1/Service/app/web": {},
    }


def test_what_is_of_a_kind_that_the_server_does_not_know(session: Session, api: FakeApi) -> None:
    """As after somebody deleted its CustomResourceDefinition."""
    widget = {**obj("Widget", "w"), "apiVersion": "example.org/v1"}
    release(api, PAGE, widget)
    api.put(EDITED)
    noted, drift = note_late(session, session.project.charts["page"], target())
    assert noted.objects["example.org/v1/Widget/app/w"] == {}
    assert set(drift) == {"ConfigMap page: data.title", "Widget w is gone"}


# -- the plan -------------------------------------------------------------------------------------


def facts(session: Session, record: Record) -> ChartFacts:
    found = releases(session)["page"]
    return chart_facts(session, "page", record, found, snapshot(session, record))


@pytest.mark.parametrize("killed", ["before the note", "after it"])
@pytest.mark.parametrize(
    ("now", "drift"),
    [
        ([PAGE, SERVICE], ()),
        ([EDITED, SERVICE], ("ConfigMap page: data.title",)),
        ([PAGE], ("Service web is gone",)),
    ],
)
def test_a_release_that_was_not_settled_is_compared(
    session: Session, api: FakeApi, killed: str, now: list[Object], drift: tuple[str, ...]
) -> None:
    """What a killed run released has to be as its manifest says, or it is released again."""
    release(api, PAGE, SERVICE)
    api.put(PAGE, SERVICE)
    state = target()
    if killed == "after it":
        state = note_release(session, session.project.charts["page"], state)
    api.remove(PAGE)
    api.remove(SERVICE)
    api.put(*now)
    found = facts(session, recorded(api, page=state))
    assert found.drift == drift
    assert not found.new_versions


def test_another_release_than_the_killed_runs_is_not_compared(
    session: Session, api: FakeApi
) -> None:
    release(api, PAGE)
    assert facts(session, recorded(api, page=replace(target(), base_revision=4))).drift == ()


# -- the gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (("SuccessfulCreate", "Completed"), ""),
        (("SuccessfulCreate", "BackoffLimitExceeded"), "job_failed:once"),
    ],
)
def test_a_job_that_its_ttl_deleted_before_the_note(
    session: Session, api: FakeApi, events: tuple[str, ...], reason: str
) -> None:
    release(api, JOB)
    api.put(*map(job_event, events))
    noted = note_release(session, session.project.charts["page"], target())
    recorded(api, page=noted)
    assert gated(session, "page") == reason


def test_a_service_deleted_after_a_kill(session: Session, api: FakeApi) -> None:
    """The killed run had noted nothing; the manifest says what there has to be."""
    release(api, SERVICE)
    recorded(api, page=target())
    assert gated(session, "page") == "timeout:not found"
    api.put(SERVICE)
    assert gated(session, "page") == ""


@pytest.mark.parametrize("order", [("page", "other"), ("other", "page")])
def test_two_charts_at_two_digests_of_one_image(
    session: Session, api: FakeApi, order: tuple[str, str]
) -> None:
    first, second = pod("first", A), pod("second", B)
    api.put(first, second)
    release(api, first)
    release(api, second, name="other")
    charts = session.project.charts
    states = {
        "page": note_release(session, charts["page"], target(A)),
        "other": note_release(session, charts["other"], target(B)),
    }
    recorded(api, **states)
    assert gated(session, *order) == ""
    # Each by itself: the other one's digest is no excuse.
    swapped = {"page": B, "other": A}
    recorded(
        api, **{name: replace(states[name], images={"web": swapped[name]}) for name in swapped}
    )
    assert gated(session, *order).startswith("timeout:")
