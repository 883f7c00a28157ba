"""The scenarios of examples/relay: what each edit changes, as seen from outside.

One cluster and one deployed project for all of them, because compiling takes long.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.names import CLUSTER
from harness.outside import Cluster
from harness.processes import left_behind
from harness.relay import NODE_PATH, Relay, RelaySeen
from harness.run import Run

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def first(node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Relay, Run]]:
    """The project on its own cluster, and its first deploy."""
    base = tmp_path_factory.mktemp("relay")
    cluster = Cluster(f"{CLUSTER}-relay", base / "state")
    cluster.remove()
    project = Relay(base / "project", "relay", cluster)
    yield project, project.start("deploy").end()
    project.localloop("down", "--cluster", "--force", code=None)
    left = cluster.objects_of_docker()
    cluster.remove()
    assert not left


@pytest.fixture
def relay(first: tuple[Relay, Run]) -> Iterator[Relay]:
    """The deployed project; its localloop.yml is restored afterwards."""
    project, run = first
    assert run.code == 0, f"there is no relay to test on:\n{run.text}"
    project.deploy()
    config = project.read("localloop.yml")
    yield project
    project.end_runs()
    project.write("localloop.yml", config)


def unchanged(relay: Relay, before: RelaySeen) -> None:
    """Check that a run has nothing to do and does nothing."""
    run = relay.deploy()
    assert run.report["outcome"] == "unchanged"
    assert relay.outside.see() == before


def untouched_supervisor(before: RelaySeen, after: RelaySeen) -> None:
    assert after.file == before.file
    assert after.sandboxes == before.sandboxes
    assert after.tags["supervisor"] == before.tags["supervisor"]


def untouched_gateway(before: RelaySeen, after: RelaySeen) -> None:
    assert after.gateway == before.gateway
    assert after.gateway_pods == before.gateway_pods
    assert after.revisions == before.revisions
    assert after.tags["gateway"] == before.tags["gateway"]


def reconciled(run: Run, *, pods: int) -> None:
    """What the report says about a rolling delete."""
    plan = run.report["plan"]
    assert plan["supervisor_reconcile_mode"] == "rolling-delete"
    assert plan["supervisor_reconcile_timeout_seconds"] == 90
    assert plan["supervisor_reconcile_performed"] is True
    assert plan["supervisor_reconcile_expected_running"] == 3
    assert plan["supervisor_reconcile_restarted_pods"] == pods
    assert plan["supervisor_reconcile_waits"] == pods
    assert plan["supervisor_reconcile_failure_reason"] == "none"
    assert plan["supervisor_pending"] == 0
    assert run.report["durations_ms"]["supervisor_reconcile"] > 0


def test_first_deploy(first: tuple[Relay, Run]) -> None:
    relay, run = first
    assert run.code == 0, run.text
    seen = relay.outside.see()
    assert "Gateway says hello" in seen.page
    assert "Core says hello" in seen.page
    assert "Supervisor says hello" in seen.page
    assert seen.gateway["profile"] == run.report["header"]["profile"] == "local-fast"
    assert len(seen.sandboxes) == 3
    assert seen.greetings == {("Supervisor says hello", "Core says hello")}
    assert relay.outside.on_node("stat", "--format=%u:%g %a", NODE_PATH) == "0:0 755"
    # The release comes after the put: no sandbox was restarted for it.
    assert run.report["plan"]["supervisor_reconcile_performed"] is False
    assert run.report["plan"]["supervisor_pending"] == 0
    unchanged(relay, seen)


def test_gateway_source_edit(relay: Relay) -> None:
    before = relay.outside.see()
    words = relay.say("gateway", "Gateway edited")
    run = relay.deploy()
    after = relay.outside.see()
    assert relay.compiled() == ["gateway"]
    assert f"<h1>{words}</h1>" in after.page
    assert not after.gateway_pods & before.gateway_pods
    assert after.revision == before.revision + 1
    assert len(after.builds("gateway")) == len(before.builds("gateway")) + 1
    untouched_supervisor(before, after)
    assert run.plan_of("supervisor")["skip"] == "unchanged"
    assert run.report["plan"]["build_supervisor"] is False
    unchanged(relay, after)


def test_supervisor_source_edit(relay: Relay) -> None:
    before = relay.outside.see()
    words = relay.say("supervisor", "Supervisor edited")
    with relay.outside.watching_sandboxes() as watch:
        run = relay.deploy()
    after = relay.outside.see()
    assert relay.compiled() == ["supervisor"]
    # At most one is missing at a time, and each was missing once.
    assert min(watch.counts) == 2
    assert max(watch.counts) <= 3
    assert len(after.sandboxes) == 3
    assert not after.sandbox_pods & before.sandbox_pods
    assert {says for says, _ in after.greetings} == {words}
    assert words in after.page
    assert after.file[0] != before.file[0]
    assert after.file[1] != before.file[1]
    assert after.file[1] == run.report["digests"]["supervisor"]["target_after_push"]
    assert before.file[1] == run.report["digests"]["supervisor"]["deployed_before"]
    untouched_gateway(before, after)
    assert run.plan_of("gateway")["skip"] == "unchanged"
    assert run.plan_of("supervisor")["steps"] == ["build", "publish", "put", "reconcile"]
    reconciled(run, pods=3)
    assert run.report["durations_ms"]["supervisor_build_deploy"] > 0
    unchanged(relay, after)


def test_shared_source_edit(relay: Relay) -> None:
    before = relay.outside.see()
    words = relay.say("core", "Core edited")
    with relay.outside.watching_sandboxes() as watch:
        run = relay.deploy()
    after = relay.outside.see()
    # The stage that compiles core ran once for both.
    assert relay.compiled() == ["core", "gateway", "supervisor"]
    assert after.gateway["core_says"] == words
    assert {core for _, core in after.greetings} == {words}
    assert f"<p>{words}</p>" in after.page
    assert after.revision == before.revision + 1
    assert not after.gateway_pods & before.gateway_pods
    assert not after.sandbox_pods & before.sandbox_pods
    assert min(watch.counts) == 2
    reconciled(run, pods=3)
    unchanged(relay, after)


def test_chart_edit(relay: Relay) -> None:
    before = relay.outside.see()
    relay.edit_chart(4)
    run = relay.deploy()
    after = relay.outside.see()
    assert after.revision == before.revision + 1
    assert after.tags == before.tags
    assert not after.gateway_pods & before.gateway_pods
    untouched_supervisor(before, after)
    assert run.plan_of("gateway")["skip"] == run.plan_of("supervisor")["skip"] == "unchanged"
    unchanged(relay, after)


def test_unrelated_edit(relay: Relay) -> None:
    before = relay.outside.see()
    relay.append("README.md", "\nNothing reads this.\n")
    relay.write("notes.txt", "Nor this.\n")
    unchanged(relay, before)


def test_explicit_target(relay: Relay) -> None:
    before, record = relay.outside.see(), relay.outside.record()
    now = relay.say("gateway", "Gateway now")
    later = relay.say("supervisor", "Supervisor later")
    relay.edit_chart(6)
    run = relay.deploy("gateway")
    after, moved = relay.outside.see(), relay.outside.record()
    assert now in after.page
    assert relay.compiled() == ["gateway"]
    # Its chart is released from the tree, with the edit in it.
    assert after.revision == before.revision + 1
    gateway = relay.cluster.get("-n", relay.name, "statefulset", "gateway")
    assert gateway["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 6
    assert "consumes (gateway)" in run.reasons("relay")
    # The sibling is left alone, on the node as in the record.
    untouched_supervisor(before, after)
    assert run.plan_of("supervisor")["skip"] == "not_targeted"
    assert moved["node_files"] == record["node_files"]
    assert moved["images"]["sandbox"] == record["images"]["sandbox"]
    assert moved["images"]["gateway"] != record["images"]["gateway"]

    # A run without targets does exactly the rest.
    run = relay.deploy()
    rest = relay.outside.see()
    assert relay.compiled() == ["supervisor"]
    assert run.plan_of("gateway")["skip"] == run.plan_of("relay")["skip"] == "unchanged"
    assert {says for says, _ in rest.greetings} == {later}
    untouched_gateway(after, rest)
    unchanged(relay, rest)


def test_targeted_node_file(relay: Relay) -> None:
    before, record = relay.outside.see(), relay.outside.record()
    now = relay.say("supervisor", "Supervisor now")
    later = relay.say("gateway", "Gateway later")
    relay.edit_chart(7)
    run = relay.deploy("supervisor")
    after, moved = relay.outside.see(), relay.outside.record()
    # No chart consumes a node file: nothing is released.
    assert relay.compiled() == ["supervisor"]
    assert {says for says, _ in after.greetings} == {now}
    untouched_gateway(before, after)
    assert run.plan_of("gateway")["skip"] == run.plan_of("relay")["skip"] == "not_targeted"
    assert (moved["images"], moved["charts"]) == (record["images"], record["charts"])

    run = relay.deploy()
    rest = relay.outside.see()
    assert relay.compiled() == ["gateway"]
    assert later in rest.page
    assert run.plan_of("supervisor")["skip"] == "unchanged"
    untouched_supervisor(after, rest)
    unchanged(relay, rest)


def test_profile_switch_and_back(relay: Relay) -> None:
    before = relay.outside.see()
    run = relay.deploy("--profile", "release")
    release = relay.outside.see()
    assert run.report["header"]["profile"] == "release"
    assert release.gateway == {**before.gateway, "profile": "release"}
    assert {found["profile"] for found in release.sandboxes.values()} == {"release"}
    assert release.file[1] != before.file[1]
    # The sandboxes' image does not depend on the profile.
    assert release.tags["sandbox"] == before.tags["sandbox"]

    relay.deploy()
    back = relay.outside.see()
    assert back.gateway == before.gateway
    assert {found["profile"] for found in back.sandboxes.values()} == {"local-fast"}
    assert back.file[1] == before.file[1]
    assert back.tags == release.tags  # nothing was built
    unchanged(relay, back)

    # Each profile has kept its compiler cache.
    relay.say("gateway", "Gateway in both profiles")
    for words in (("--profile", "release"), ()):
        relay.deploy(*words)
        assert relay.compiled() == ["gateway"], words


def test_changed_lock_file_starts_new_compiler_caches(relay: Relay) -> None:
    lock = relay.read("Cargo.lock")
    relay.write("Cargo.lock", f"# {relay.root}\n{lock}")
    relay.deploy()
    assert relay.compiled() == ["core", "gateway", "supervisor"]
    # The old ones are still there.
    relay.write("Cargo.lock", lock)
    relay.say("gateway", "Gateway under the old lock file")
    relay.deploy()
    assert relay.compiled() == ["gateway"]


def test_older_checkout_with_other_bytes(relay: Relay, tmp_path: Path) -> None:
    """Bytes count: neither cargo nor BuildKit may rely on times."""
    for crate in ("gateway", "supervisor"):
        relay.say(crate, f"{crate} of the newer checkout")
    relay.deploy()
    other = Relay(tmp_path / "older", relay.name, relay.cluster)
    core = "crates/core/src/lib.rs"
    other.write(core, relay.read(core))
    gateway = other.say("gateway", "Gateway of the older checkout")
    supervisor = other.say("supervisor", "Supervisor of the older checkout")
    two_hours_ago = time.time() - 7200
    for path in other.root.rglob("*"):
        os.utime(path, (two_hours_ago, two_hours_ago))
    other.deploy()
    seen = relay.outside.see()
    assert other.compiled() == ["gateway", "supervisor"]
    assert gateway in seen.page
    assert {says for says, _ in seen.greetings} == {supervisor}

    # The same again for what both share.
    shared = other.say("core", "Core of the older checkout")
    os.utime(other.root / core, (two_hours_ago, two_hours_ago))
    other.deploy()
    seen = relay.outside.see()
    assert shared in seen.page
    assert seen.greetings == {(supervisor, shared)}


def test_killed_between_put_and_reconcile(relay: Relay) -> None:
    before = relay.outside.see()
    words = relay.say("supervisor", "Supervisor of a killed run")
    relay.edit_chart(8)  # the release comes between the two
    run = relay.start("deploy")
    run.until_said("relay", "release", "helm upgrade")
    run.kill_tree()
    assert not left_behind(run.mark)
    killed = relay.outside.see()
    assert killed.file[0] != before.file[0]
    assert killed.sandboxes == before.sandboxes
    entry = relay.outside.record()["node_files"]["supervisor"]
    assert (entry["put"], entry["reconciled"]) == (True, False)

    again = relay.deploy()
    after = relay.outside.see()
    assert again.plan_of("supervisor")["steps"] == ["reconcile"]
    assert after.file == killed.file
    assert not after.sandbox_pods & before.sandbox_pods
    assert {says for says, _ in after.greetings} == {words}
    reconciled(again, pods=3)
    unchanged(relay, after)


def test_reconcile_none_is_pending_until_a_rolling_delete(relay: Relay) -> None:
    before = relay.outside.see()
    relay.edit("localloop.yml", "mode: rolling-delete", "mode: none")
    words = relay.say("supervisor", "Supervisor in waiting")
    run = relay.deploy()
    left = relay.outside.see()
    assert left.file[1] != before.file[1]
    assert left.sandboxes == before.sandboxes
    assert run.report["plan"]["supervisor_reconcile_mode"] == "none"
    assert run.report["plan"]["supervisor_reconcile_performed"] is False
    assert run.report["plan"]["supervisor_pending"] == 3
    status = json.loads(relay.localloop("status", "-o", "json").out)
    assert status["components"]["supervisor"]["pending"] == 3
    assert "pending: 3" in relay.localloop("status").out
    unchanged(relay, left)

    # A pod that restarts by itself is no longer pending.
    pod = relay.outside.pods_of("sandbox")[0]["metadata"]["name"]
    relay.outside.kubectl("delete", "pod", pod, "--wait=false")
    relay.outside.kubectl("rollout", "status", "deployment/sandbox", "--timeout=30s")
    assert "pending: 2" in relay.localloop("status").out

    relay.edit("localloop.yml", "mode: none", "mode: rolling-delete")
    run = relay.deploy()
    after = relay.outside.see()
    assert run.plan_of("supervisor")["steps"] == ["reconcile"]
    assert after.file == left.file
    assert not after.sandbox_pods & before.sandbox_pods
    assert {says for says, _ in after.greetings} == {words}
    reconciled(run, pods=2)
    assert "pending" not in relay.localloop("status").out
    unchanged(relay, after)


def test_node_file_deleted_by_hand(relay: Relay) -> None:
    before = relay.outside.see()
    relay.outside.on_node("rm", NODE_PATH)
    run = relay.deploy()
    after = relay.outside.see()
    assert run.plan_of("supervisor")["steps"] == ["put"]
    assert after.file[1] == before.file[1]
    # The same bytes were put again, and the sandboxes run them already.
    assert after.sandboxes == before.sandboxes
    untouched_gateway(before, after)
    unchanged(relay, after)


def test_cluster_re_created_by_hand(relay: Relay) -> None:
    """With Docker only, under the same name; the registry stays."""
    before, uid = relay.outside.see(), relay.cluster.uid()
    relay.cluster.remove_nodes()
    run = relay.deploy()
    after = relay.outside.see()
    assert relay.cluster.uid() != uid
    assert run.report["plan"]["cluster_verdict"] == "create"
    assert after.tags == before.tags  # the registry has it all
    assert after.file[1] == before.file[1]
    assert (after.page, after.greetings) == (before.page, before.greetings)
    assert after.revisions == ((1, "deployed"),)
    unchanged(relay, after)
