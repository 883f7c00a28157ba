"""How often a release asks the API server: what Helm made is read once after each of its calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import FakeApi, path_of
from fake_helm import FakeHelm, helm_secret

from localloop.config.project import load_project
from localloop.gate import run as gating
from localloop.gate import settle
from localloop.observe.charts import chart_facts, releases, snapshot
from localloop.plan.model import ComponentPlan, Plan
from localloop.record.model import ChartState
from localloop.record.store import RecordStore
from localloop.release.charts import release_charts
from localloop.release.failure import ReleaseFailedError
from localloop.report.journal import Journal
from localloop.session import Session

Object = dict[str, Any]


def obj(api_version: str, kind: str, name: str, **body: Any) -> Object:
    metadata = {"name": name, "namespace": "app", "uid": f"uid-{name}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


PAGE = obj("v1", "ConfigMap", "page", data={"title": "new"})
JOB = obj(
    "batch/v1",
    "Job",
    "migrate",
    spec={"x": "new"},
    status={"conditions": [{"type": "Complete", "status": "True"}]},
)


class World:
    """A project with one chart, its session and its journal."""

    def __init__(self, tmp_path: Path, api: FakeApi, **chart: Any) -> None:
        config = {
            "version": 1,
            "project": "demo",
            "charts": {"web": {"path": "chart", "namespace": "app", **chart}},
            "readiness": {"timeout": 2},
        }
        (tmp_path / "localloop.yml").write_text(yaml.safe_dump(config))
        (tmp_path / "chart").mkdir()
        (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 0.1.0\n")
        self.api = api
        self.events: list[Object] = []
        self.session = Session(
            load_project(tmp_path, environ={}),
            {},
            registry="127.0.0.1:5000",
            platform="linux/amd64",
        )
        self.session.kube = api.kube()
        self.journal = Journal("tx-1", tmp_path / "journal", tmp_path / "lock")

    def plan(self, *steps: str, base_revision: int = 0) -> Plan:
        part = ComponentPlan("web", "chart", steps=steps, base_revision=base_revision)
        serial = RecordStore(self.session.kube, "demo").load().serial
        return Plan(
            "demo",
            str(self.session.project.root),
            "",
            "auto",
            (),
            {"verdict": "ok"},
            {"web": part},
            serial=serial,
        )

    def release(self, plan: Plan) -> Plan:
        return release_charts(self.session, plan, self.journal, self.events.append)

    def gate_and_settle(self, plan: Plan) -> None:
        result = gating.run(self.session, plan, self.events.append)
        completed = settle.completed_jobs(result.as_dict())
        settle.settle(self.session, plan, self.events.append, completed)

    def requests(self, act: Callable[[], object]) -> Counter[str]:
        """Ours, meanwhile: neither those of the fake helm nor watches, which may be many or few."""
        before = len(self.api.requests)
        act()
        return Counter(
            f"{method} {path}"
            for method, path, query, headers, _ in self.api.requests[before:]
            if "urllib" not in headers.get("user-agent", "").lower() and not query.get("watch")
        )


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        for name in ("localloop", "kube-system"):
            metadata = {"name": name, "uid": f"uid-{name}"}
            fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        fake.answers["GET", "/version"] = [(200, {}, {"major": "1", "minor": "30"})]
        yield fake


@pytest.fixture
def helm(tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    found = FakeHelm(tmp_path / "bin", api)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return found


LIST = "GET /api/v1/namespaces/app/secrets"
"""The revisions of a release, by their metadata."""


def reads(found: Counter[str], revision: int) -> int:
    """How often Helm's Secret of this revision was read and its manifest parsed."""
    return found[f"{LIST}/sh.helm.release.v1.web.v{revision}"]


def test_a_release_lists_before_and_after_helm_and_reads_once(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    world = World(tmp_path, api)
    helm.turn(PAGE, JOB, helm_secret("web", 1, PAGE, JOB))
    plan = world.plan("release")
    found = world.requests(lambda: world.release(plan))
    assert (found[LIST], reads(found, 1), found.total()) == (2, 1, 10)
    found = world.requests(lambda: world.gate_and_settle(plan))
    assert (found[LIST], reads(found, 1), found.total()) == (0, 0, 7)


def test_values_that_are_kept_cost_one_read(tmp_path: Path, api: FakeApi, helm: FakeHelm) -> None:
    world = World(tmp_path, api, keep_values=["secret"])
    api.put(PAGE, JOB, helm_secret("web", 1, PAGE, JOB, values={"secret": "s"}))
    helm.turn(PAGE, helm_secret("web", 2, PAGE, JOB))
    plan = world.plan("release", base_revision=1)
    found = world.requests(lambda: world.release(plan))
    assert (found[LIST], reads(found, 1), reads(found, 2), found.total()) == (2, 1, 1, 10)
    assert json.loads(helm.calls()[0][1]) == {"secret": "s"}


def test_what_a_failed_helm_left_is_read_once(tmp_path: Path, api: FakeApi, helm: FakeHelm) -> None:
    """By whoever asks: what cannot be changed, the hooks, the evidence."""
    world = World(tmp_path, api)
    api.put(PAGE, JOB, helm_secret("web", 1, PAGE, JOB))
    failed = helm_secret("web", 2, PAGE, JOB, status="failed")
    helm.turn(failed, code=1, stderr="Error: no\n")
    plan = world.plan("release", base_revision=1)

    def act() -> None:
        with pytest.raises(ReleaseFailedError, match="Error: no"):
            world.release(plan)

    found = world.requests(act)
    assert (found[LIST], reads(found, 2), found.total()) == (2, 1, 11)


def test_a_job_in_the_way_is_removed_and_helm_called_again(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    """The values that are kept are those of the failed revision: it was read already."""
    world = World(tmp_path, api, keep_values=["secret"])
    old = {**JOB, "spec": {"x": "old"}}
    api.put(PAGE, old, helm_secret("web", 1, PAGE, old, values={"secret": "s"}))
    answer = {"kind": "Status", "details": {"causes": [{"field": "spec.template"}]}}
    api.answers["PATCH", path_of(JOB)] = [(422, {}, answer)]
    failed = helm_secret("web", 2, PAGE, JOB, status="failed", values={"secret": "s"})
    helm.turn(failed, code=1, stderr="Error: field is immutable\n")
    helm.turn(JOB, helm_secret("web", 3, PAGE, JOB))
    plan = world.plan("release", base_revision=1)
    found = world.requests(lambda: world.release(plan))
    assert (found[LIST], reads(found, 2), reads(found, 3)) == (3, 1, 1)
    assert found[f"DELETE {path_of(JOB)}"] == 1
    assert [json.loads(values) for _, values in helm.calls()] == [{"secret": "s"}] * 2


def test_a_release_that_a_killed_run_did_not_note(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    world = World(tmp_path, api)
    store = RecordStore(world.session.kube, "demo")
    store.save(store.load().unsettle("web", ChartState("tx-1", "fp", {})))
    api.put(PAGE, JOB, helm_secret("web", 1, PAGE, JOB))
    record = store.load()
    live = releases(world.session)["web"]
    view = snapshot(world.session, record)
    found = world.requests(lambda: chart_facts(world.session, "web", record, live, view))
    assert (found[LIST], reads(found, 1)) == (0, 1)
    plan = world.plan("settle", base_revision=1)
    found = world.requests(lambda: world.gate_and_settle(plan))
    assert (found[LIST], reads(found, 1)) == (2, 2)  # the gate, and the settling after it
    assert store.load().charts["web"].state == "settled"
