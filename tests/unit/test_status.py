"""What `localloop status` says runs: from the record and one look at the live release."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_api import FakeApi

from localloop.config.project import load_project
from localloop.helm.releases import TRANSACTION_LABEL, Release
from localloop.kube.objects import object_version
from localloop.observe.facts import ChartFacts, Facts, ImageFacts
from localloop.observe.running import Running, running_charts, state_that_runs
from localloop.record.model import ChartEntry, ChartState, ImageEntry, Record
from localloop.registry.published import PublishedImage
from localloop.report.status import image_row, runs_text
from localloop.session import Session

Object = dict[str, Any]


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def state(transaction: str, revision: int = 0, *, base: int = 0, image: str = "") -> ChartState:
    held = PublishedImage("r/web", digest(image))
    images = {"web": held} if image else {}
    return ChartState(transaction, f"fp-{transaction}", images, base, revision)


def release(revision: int, transaction: str = "", status: str = "deployed") -> Release:
    return Release("hello", "app", revision, status, {TRANSACTION_LABEL: transaction})


GOOD, TARGET = state("tx-1", 3), state("tx-2", base=3)
SETTLED, SETTLING = ChartEntry("settled", GOOD), ChartEntry("settling", TARGET, GOOD)


@pytest.mark.parametrize(
    ("entry", "live", "untouched", "runs"),
    [
        (SETTLED, release(3, "tx-1"), True, "tx-1"),
        (
            SETTLED,
            release(4, "tx-1"),
            False,
            "tx-1",
        ),  # a revision that localloop did not make: drift
        (SETTLING, release(4, "tx-2"), False, "tx-2"),  # the gate failed, or waits
        (SETTLING, release(3, "tx-1"), True, "tx-1"),  # killed before Helm began
        (SETTLING, release(3, "tx-1"), False, "tx-1"),
        (SETTLING, release(4, "tx-2", "failed"), True, "tx-1"),  # its pre-upgrade hook failed
        (SETTLING, release(4, "tx-2", "failed"), False, "tx-2"),  # its post-upgrade hook failed
        (SETTLING, release(4, "tx-2", "pending-upgrade"), True, "tx-1"),
        (replace(SETTLING, last_good=None), release(1, "tx-2", "failed"), False, "tx-2"),
        # A rollback: the label is that of the state that it goes back to.
        (ChartEntry("settling", state("tx-0", base=3), GOOD), release(4, "tx-0"), False, "tx-0"),
    ],
)
def test_which_state_runs(entry: ChartEntry, live: Release, untouched: bool, runs: str) -> None:
    assert state_that_runs(entry, live, untouched=untouched).transaction == runs


def facts(entries: dict[str, ChartEntry], consumes: tuple[str, ...] = ("web",)) -> Facts:
    built = ImageEntry("fp-b", PublishedImage("r/web", digest("b")))
    return Facts(
        project="demo",
        images={"web": ImageFacts("fp")},
        charts={name: ChartFacts("fp", consumes, release(3)) for name in entries or ("hello",)},
        record=Record("demo", images={"web": built}, charts=entries),
    )


def run(transaction: str, image: str, created: str) -> Running:
    return Running(state(transaction, 3, image=image), created, ())


def test_an_image_runs_what_its_charts_run() -> None:
    """Built was B; after a rollback its chart runs A, of which no fingerprint is known."""
    found = facts({"hello": ChartEntry("settled", state("tx-1", image="a"))})
    row = image_row("web", found, {"hello": run("tx-1", "a", "2026-01-01T00:00:00Z")})
    assert row == {
        "state": "settled",
        "fingerprint": "",
        "digest": digest("a"),
        "charts": {"hello": digest("a")},
        "transaction": "tx-1",
        "created": "2026-01-01T00:00:00Z",
    }
    row = image_row("web", found, {"hello": run("tx-2", "b", "2026-01-01T00:00:00Z")})
    assert (row["fingerprint"], row["digest"]) == ("fp-b", digest("b"))


def test_charts_that_run_different_images() -> None:
    entries = {name: ChartEntry("settled", GOOD) for name in ("one", "two")}
    entries["two"] = SETTLING
    both = {
        "one": run("tx-1", "a", "2026-01-01T00:00:00Z"),
        "two": run("tx-2", "b", "2026-01-02T00:00:00Z"),
    }
    row = image_row("web", facts(entries), both)
    assert (row["digest"], row["transaction"], row["state"]) == (digest("b"), "tx-2", "settling")
    assert row["charts"] == {"one": digest("a"), "two": digest("b")}
    assert runs_text({"kind": "image", **row}) == f"{'b' * 12}, {'a' * 12} (settling)"


def test_an_image_that_no_chart_runs() -> None:
    row = image_row("web", facts({}, consumes=()), {})
    assert (row["digest"], row["fingerprint"], row["created"]) == (digest("b"), "fp-b", "")
    # Built for a chart that is not deployed yet: it runs nowhere.
    row = image_row("web", facts({}), {})
    assert (row["digest"], row["fingerprint"]) == ("", "")
    assert runs_text({"kind": "image", **row}) == "nothing"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "revision 3"),
        ({"drift": ["x"]}, "revision 3 (drift)"),
        ({"state": "settling"}, "revision 3 (settling)"),
        ({"state": "never_deployed", "transaction": "", "revision": 0}, "nothing"),
    ],
)
def test_marks(changes: Object, shown: str) -> None:
    entry = {"kind": "chart", "revision": 3, "transaction": "tx-1", "state": "settled", "drift": []}
    assert runs_text({**entry, **changes}) == shown


# -- with a scripted API server -------------------------------------------------------------------


def deployment(uid: str, generation: int) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": "app", "uid": uid, "generation": generation},
        "spec": {"replicas": 2, "paused": True, "template": {"spec": {}}},
        "status": {"observedGeneration": generation},
    }


def secret(revision: int, created: str) -> Object:
    manifest = json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hello"}}
    )
    inner = base64.b64encode(json.dumps({"manifest": manifest}).encode())
    labels = {"name": "hello", "owner": "helm", "status": "failed", "version": str(revision)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"v{revision}",
            "namespace": "app",
            "labels": labels,
            "creationTimestamp": created,
        },
        "data": {"release": base64.b64encode(inner).decode()},
    }


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        fake.put(secret(3, "2026-01-03T00:00:00Z"), secret(4, "2026-01-04T00:00:00Z"))
        yield fake


@pytest.mark.parametrize(
    ("now", "transaction", "created"),
    [
        (deployment("uid", 1), "tx-1", "2026-01-03T00:00:00Z"),
        (deployment("uid", 2), "tx-2", "2026-01-04T00:00:00Z"),
    ],
)
def test_helm_failed_and_the_objects_say_what_runs(
    api: FakeApi, tmp_path: Path, now: Object, transaction: str, created: str
) -> None:
    (tmp_path / "localloop.yml").write_text(
        "version: 1\nproject: demo\ncharts: {hello: {path: chart, namespace: app}}\n"
    )
    kube = api.kube()
    session = SimpleNamespace(
        project=load_project(tmp_path, environ={}),
        kube=kube,
    )
    api.put(now)
    good = replace(
        GOOD, objects={"apps/v1/Deployment/app/hello": object_version(deployment("uid", 1))}
    )
    entry = ChartEntry("settling", TARGET, good)
    live = replace(release(4, "tx-2", "failed"), secret="v4", created="2026-01-04T00:00:00Z")
    found = replace(facts({"hello": entry}), charts={"hello": ChartFacts("fp", (), live)})
    runs = running_charts(cast("Session", session), found)["hello"]
    assert (runs.state.transaction, runs.created) == (transaction, created)
    assert runs.state.revision == (3 if transaction == "tx-1" else 4)
    # A paused rollout fails at once, but the counts still come first.
    assert runs.ready == ("Deployment hello: ready 0/2: the Deployment is paused",)
