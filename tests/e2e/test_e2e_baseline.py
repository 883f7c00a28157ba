"""``localloop baseline`` and ``playbooks/baseline.yml``: what they measure and leave behind."""

from __future__ import annotations

import csv
import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from harness.claims import agrees
from harness.project import Project

pytestmark = pytest.mark.cluster

STEPS = """
baseline:
  steps:
    - {name: count, category: files, command: [ls, site]}
"""
HEAD = ["run", "category", "step", "status", "duration_s"]
ONE_RUN = [["files", "count", "ok"], ["image", "web", "ok"], ["deploy", "deploy", "ok"]]


def read(path: Path) -> tuple[list[list[str]], str]:
    """The rows of a CSV file after its header, and the Markdown beside it."""
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == HEAD
    assert all(float(row[4]) >= 0 for row in rows)
    return rows, path.with_suffix(".md").read_text()


def seconds(rows: list[list[str]]) -> dict[str, float]:
    return {f"{row[0]} {row[2]}": float(row[4]) for row in rows}


def test_both_runs_with_the_deploy(project: Project) -> None:
    project.append("localloop.yml", STEPS)
    before = project.outside.see()
    run = project.localloop("baseline", "--mode", "both", "--with-deploy", "-o", "json")
    after = project.outside.see()
    document = json.loads(run.out)
    path = Path(document["csv"])
    assert path.parent == project.root / ".cache" / "perf"
    rows, markdown = read(path)
    assert [row[:4] for row in rows] == [
        [name, *step] for name in ("cold", "warm") for step in ONE_RUN
    ]
    for row in rows:
        assert f"| {' | '.join(row)} |" in markdown
    for line in ("mode: both", "include_deploy: 1", f"csv: `{path}`"):
        assert f"- {line}\n" in markdown
    took = seconds(rows)
    assert took["cold web"] > took["warm web"]

    # It was an ordinary deploy, and nothing else was published.
    assert "Hello from localloop" in after.page
    assert after.revisions == ((1, "deployed"),)
    reports = sorted(
        (
            json.loads(path.read_text())
            for path in project.root.glob(".cache/deploy-reports/*.json")
        ),
        key=lambda report: report["header"]["timestamp_utc"],
    )
    assert [report["outcome"] for report in reports] == ["deployed", "unchanged"]
    assert before.builds == frozenset()
    assert after.builds == {reports[0]["header"]["transaction_id"]}
    again = project.deploy()
    agrees(again, project.outside, after, project.outside.see())
    assert again.report["outcome"] == "unchanged"


COUNTED = """\
FROM debian:bookworm-slim AS stamp
RUN cat /proc/sys/kernel/random/uuid > /stamp # NEW
FROM debian:bookworm-slim AS counter
COPY site/ /site/
RUN --mount=type=cache,id=NEW,target=/cache --mount=type=bind,from=stamp,target=/from \\
    echo build >> /cache/builds && echo "$(wc -l < /cache/builds) $(cat /from/stamp)" \\
    | tee -a /site/index.html
"""


def counted(project: Project, run: str) -> list[str]:
    """The counting step's output in a run's build; empty if it came from the cache."""
    log = project.read(f".cache/localloop/baseline/build/{run}-web/bake.log")
    return re.findall(r"^\[[^\]]+\] (\d+ [0-9a-f-]{36})$", log, re.MULTILINE)


def test_the_caches_of_the_loop_are_left_alone(project: Project) -> None:
    """Each build of the loop adds a line to its cache mount; a stamp identifies its layer."""
    new = uuid.uuid4().hex  # so that neither the mount nor a layer comes from an earlier session
    dockerfile = project.read("Dockerfile").replace(
        "COPY site/ /site/", "COPY --from=counter /site/ /site/"
    )
    project.write("Dockerfile", COUNTED.replace("NEW", new) + dockerfile)
    project.set_page(f"One {new}")
    project.deploy()
    deployed, record = project.outside.see(), project.outside.record()
    count, stamp = deployed.page.splitlines()[-1].split()
    assert count == "1"

    project.localloop("baseline", "--mode", "both")
    cold, warm = (counted(project, run) for run in ("cold", "warm"))
    assert [line.split()[0] for line in cold] == ["1"]
    assert cold != [f"1 {stamp}"]
    assert warm == []
    assert project.outside.see() == deployed
    assert project.outside.record() == record
    assert project.deploy().report["outcome"] == "unchanged"

    project.set_page(f"Two {new}")
    project.deploy()
    assert project.outside.page().splitlines()[-1] == f"2 {stamp}"


def test_a_failing_build_is_recorded_and_the_deploy_still_measured(project: Project) -> None:
    project.append("localloop.yml", STEPS)
    project.add_build_step("echo the reason >&2; exit 3")
    run = project.localloop("baseline", "--mode", "cold", "--with-deploy", code=1)
    (path,) = (project.root / ".cache" / "perf").glob("*.csv")
    rows, markdown = read(path)
    assert [row[2:4] for row in rows] == [["count", "ok"], ["web", "failed"], ["deploy", "failed"]]
    assert "the reason" in markdown
    assert "2 of 3 steps failed" in run.text
    assert project.outside.history() == []


def test_the_playbook_does_the_same(deployed: Project) -> None:
    deployed.append("localloop.yml", STEPS)
    before, reports = deployed.outside.see(), deployed.reports()
    deployed.set_page("By the playbook")
    checked = deployed.playbook("--check", playbook="baseline.yml")
    assert checked.recap()["web"]["changed"] == 0
    assert not (deployed.root / ".cache" / "perf").exists()
    assert (deployed.outside.see(), deployed.reports()) == (before, reports)

    words = ["-e", json.dumps({"baseline_mode": "warm", "baseline_with_deploy": True})]
    run = deployed.playbook(*words, playbook="baseline.yml")
    (path,) = (deployed.root / ".cache" / "perf").glob("*.csv")
    assert [row[:4] for row in read(path)[0]] == [["warm", *step] for step in ONE_RUN]
    assert "By the playbook" in deployed.outside.page()
    assert _changed(run.recap()) == {"web": 1, "hello": 0}
    again = deployed.playbook(*words, playbook="baseline.yml")
    assert _changed(again.recap()) == {"web": 0, "hello": 0}
    assert len(deployed.reports()) == len(reports) + 2


def _changed(recap: dict[str, Any]) -> dict[str, int]:
    return {host: counts["changed"] for host, counts in recap.items()}
