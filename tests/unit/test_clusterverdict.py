"""What becomes of a running cluster: by its record, inputs, the choice and who else uses it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.cluster.containers import NodeContainer
from localloop.cluster.state import ClusterState
from localloop.errors import LocalloopError, UsageError
from localloop.kube.client import unreachable
from localloop.plan.cluster_verdict import (
    BootstrapChoice,
    cluster_verdict,
    container_verdict,
    guard,
    judge,
    require_answer,
    require_possible,
)
from localloop.record.cluster_inputs import ACCEPTED, BOOTSTRAPPED, Noted

OLD, NEW = "a" * 64, "b" * 64


def noted(fingerprint: str = OLD, state: str = BOOTSTRAPPED, transaction: str = "tx-1") -> Noted:
    return Noted(fingerprint, state, transaction)


@pytest.mark.parametrize(
    ("choice", "known", "current", "verdict", "inputs"),
    [
        pytest.param(BootstrapChoice(), None, "", "ok", None, id="nothing-declared"),
        pytest.param(
            BootstrapChoice(), None, NEW, "ok", "accept", id="first-deploy-to-an-existing-one"
        ),
        pytest.param(BootstrapChoice(), noted(""), NEW, "ok", "accept", id="declared-later"),
        pytest.param(BootstrapChoice(), noted(), OLD, "ok", "same", id="same"),
        pytest.param(
            BootstrapChoice(), noted(state=ACCEPTED), OLD, "ok", "same", id="accepted-before"
        ),
        pytest.param(BootstrapChoice(), noted(), NEW, "bootstrap", "changed", id="changed"),
        pytest.param(BootstrapChoice(), noted(), "", "ok", None, id="no-longer-declared"),
        pytest.param(BootstrapChoice("reuse"), noted(), NEW, "ok", "accept", id="reuse"),
        pytest.param(BootstrapChoice("reuse"), noted(), OLD, "ok", "same", id="reuse-of-the-same"),
        pytest.param(BootstrapChoice("recreate"), noted(), OLD, "bootstrap", "same", id="recreate"),
        pytest.param(
            BootstrapChoice("recreate"), None, "", "bootstrap", None, id="recreate-without-inputs"
        ),
        pytest.param(
            BootstrapChoice("recreate", transaction="tx-1"),
            noted(),
            OLD,
            "ok",
            "same",
            id="made-by-this-run",
        ),
        pytest.param(
            BootstrapChoice("recreate", transaction="tx-1"),
            noted(""),
            "",
            "ok",
            None,
            id="made-without-any",
        ),
        pytest.param(
            BootstrapChoice(transaction="tx-1"),
            noted(),
            NEW,
            "ok",
            "changed",
            id="changed-under-this-run",
        ),
        pytest.param(
            BootstrapChoice("recreate", transaction="tx-1"),
            noted(state=ACCEPTED),
            OLD,
            "bootstrap",
            "same",
            id="accepted-by-this-run",
        ),
        pytest.param(
            BootstrapChoice("recreate"),
            noted(transaction=""),
            OLD,
            "bootstrap",
            "same",
            id="no-transaction",
        ),
    ],
)
def test_judge(
    choice: BootstrapChoice, known: Noted | None, current: str, verdict: str, inputs: str | None
) -> None:
    found = judge(choice, known, current)
    assert (found["verdict"], found.get("inputs")) == (verdict, inputs)


def test_fingerprints_and_their_origin_are_reported() -> None:
    found = judge(BootstrapChoice(), noted(state=ACCEPTED), NEW)
    assert (found["inputs_previous"], found["inputs_current"]) == (OLD, NEW)
    assert (found["inputs_state"], found["inputs_transaction"]) == (ACCEPTED, "tx-1")


LACKS = "port 127.0.0.1:8080 for 30080/tcp"


@pytest.mark.parametrize(
    ("choice", "known", "current", "wanted"),
    [
        (BootstrapChoice(), None, "", ("bootstrap", "cluster_lacks", None)),
        (BootstrapChoice(), noted(), OLD, ("bootstrap", "cluster_lacks", None)),
        (BootstrapChoice(), noted(), NEW, ("bootstrap", "cluster_inputs_changed", None)),
        (BootstrapChoice("reuse"), None, "", ("ok", "", LACKS)),
        (BootstrapChoice("reuse"), noted(), NEW, ("ok", "", LACKS)),
        (BootstrapChoice("recreate"), None, "", ("bootstrap", "recreate_requested", None)),
        (BootstrapChoice(transaction="tx-1"), noted(), OLD, ("ok", "", None)),
    ],
)
def test_what_it_lacks_counts_like_changed_inputs(
    choice: BootstrapChoice,
    known: Noted | None,
    current: str,
    wanted: tuple[str, str, str | None],
) -> None:
    found = judge(choice, known, current, LACKS)
    assert (found["verdict"], found["reason"], found.get("lacks")) == wanted
    if choice.answer == "auto" and found["verdict"] == "bootstrap":
        assert LACKS in found["detail"]
        with pytest.raises(LocalloopError, match="8080"):
            require_possible(found, "demo", bootstraps=False)


CHANGED = {"verdict": "bootstrap", "reason": "cluster_inputs_changed", "detail": "changed a.yaml"}
REQUESTED = {"verdict": "bootstrap", "reason": "recreate_requested"}


@pytest.mark.parametrize(
    ("found", "force", "ours", "others", "verdict"),
    [
        (CHANGED, False, True, [], "bootstrap"),
        (CHANGED, False, True, ["project x"], "refused"),
        (CHANGED, True, True, ["project x"], "refused"),
        (CHANGED, False, False, [], "refused"),
        (REQUESTED, False, True, [], "bootstrap"),
        (REQUESTED, True, True, ["project x"], "bootstrap"),
    ],
)
def test_guard(found: Any, force: bool, ours: bool, others: list[str], verdict: str) -> None:
    guarded = guard(found, BootstrapChoice(force=force), "demo", ours=ours, others=others)
    assert guarded["verdict"] == verdict


def test_recreating_a_shared_cluster_is_refused() -> None:
    with pytest.raises(UsageError, match="project x, release y/z") as caught:
        guard(
            REQUESTED,
            BootstrapChoice("recreate"),
            "demo",
            ours=True,
            others=["project x", "release y/z"],
        )
    assert caught.value.reason == "cluster_shared"


def test_a_refusal_names_paths_others_and_commands() -> None:
    refused = guard(CHANGED, BootstrapChoice(), "demo", ours=True, others=["project x"])
    with pytest.raises(LocalloopError) as caught:
        require_possible(refused, "demo")
    assert (caught.value.reason, caught.value.exit_code) == ("cluster_inputs_changed", 1)
    for words in ("a.yaml", "project x", "bootstrap --reuse-ok", "bootstrap --recreate --force"):
        assert words in str(caught.value)
    foreign = guard(CHANGED, BootstrapChoice(), "demo", ours=False, others=[])
    with pytest.raises(LocalloopError, match="its nodes are not localloop's"):
        require_possible(foreign, "demo")


def test_a_play_that_does_not_recreate_clusters_stops() -> None:
    require_possible(CHANGED, "demo")
    require_possible({"verdict": "ok", "reason": ""}, "demo", bootstraps=False)
    with pytest.raises(LocalloopError, match=r"changed a\.yaml") as caught:
        require_possible(CHANGED, "demo", bootstraps=False)
    assert caught.value.reason == "cluster_inputs_changed"


class FakeSession:
    """A session whose containers are as given."""

    cluster_name = "demo"
    provider = SimpleNamespace(owns=True)
    container_name = "demo-control-plane"
    registry_container_name = "localloop-demo-registry"

    def __init__(self, verdict: Any, **more: Any) -> None:
        known = {"ours": True, "registry_verdict": "ok", "registry_ours": True}
        self._silent = more.pop("silent", False)
        node = NodeContainer(
            name=self.container_name, role="control-plane", state="", container_id="1", image=""
        )
        nodes = () if verdict == "create" else (node,)
        self.cluster = ClusterState(name="demo", verdict=verdict, nodes=nodes, **{**known, **more})

    def identify(self) -> str:
        if self._silent:
            raise unreachable("https://127.0.0.1:6443", "timed out")
        return "u1d"


@pytest.mark.parametrize(
    ("session", "choice", "reason"),
    [
        pytest.param(FakeSession("create"), BootstrapChoice(), "", id="none"),
        pytest.param(FakeSession("ok"), BootstrapChoice(), "cluster_exists", id="unanswered"),
        pytest.param(
            FakeSession("start"), BootstrapChoice(), "cluster_exists", id="stopped-unanswered"
        ),
        pytest.param(FakeSession("ok"), BootstrapChoice("reuse"), "", id="reuse"),
        pytest.param(
            FakeSession("start"), BootstrapChoice("reuse"), "", id="reuse-of-a-stopped-one"
        ),
        pytest.param(FakeSession("ok"), BootstrapChoice("recreate"), "", id="recreate"),
        pytest.param(
            FakeSession("restart"), BootstrapChoice("recreate"), "cluster_unseen", id="unseen"
        ),
        pytest.param(
            FakeSession("ok", silent=True),
            BootstrapChoice("recreate"),
            "cluster_unseen",
            id="silent",
        ),
        pytest.param(
            FakeSession("restart"), BootstrapChoice("recreate", force=True), "", id="forced"
        ),
        pytest.param(
            FakeSession("ok", ours=False),
            BootstrapChoice("recreate", force=True),
            "cluster_not_ours",
            id="foreign",
        ),
        pytest.param(
            FakeSession("ok", registry_verdict="refuse"),
            BootstrapChoice("reuse"),
            "registry_not_ours",
            id="foreign-registry",
        ),
    ],
)
def test_require_answer(session: Any, choice: BootstrapChoice, reason: str) -> None:
    if not reason:
        require_answer(session, choice)
        return
    with pytest.raises(UsageError) as caught:
        require_answer(session, choice)
    assert caught.value.reason == reason
    if reason == "cluster_exists":
        assert "--reuse-ok" in str(caught.value)
        assert "--recreate" in str(caught.value)


@pytest.mark.parametrize(
    ("age", "starting", "verdict"),
    [(None, True, "ok"), (5, False, "ok"), (5, True, "start")],
    ids=["long ago", "all anew", "as before"],
)
def test_a_node_that_has_just_been_restarted(
    age: int | None, starting: bool, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localloop.cluster.ready.is_starting", lambda *_: starting)
    session: Any = FakeSession("ok")
    session.kube = session.fingerprints = SimpleNamespace(of_cluster=None)
    session.cluster = replace(
        session.cluster, nodes=tuple(replace(node, age=age) for node in session.cluster.nodes)
    )
    reason = {"ok": "", "start": "cluster_starting"}[verdict]
    assert cluster_verdict(session) == {"verdict": verdict, "reason": reason}


def test_the_nodes_that_are_stopped_are_named() -> None:
    session: Any = FakeSession("start", reason="node_stopped")
    nodes = [
        NodeContainer(name=name, role="worker", state=state, container_id="1", image="")
        for name, state in (("demo-worker", "running"), ("demo-worker2", "exited"))
    ]
    session.cluster = replace(session.cluster, nodes=tuple(nodes))
    assert container_verdict(session) == {
        "verdict": "start",
        "reason": "node_stopped",
        "detail": "demo-worker2",
    }
