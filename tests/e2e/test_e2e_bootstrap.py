"""Bootstrap: with an existing cluster, after changed inputs, and what it must not lose.

On its own cluster, which the first test creates and the others share.
"""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.claims import unchanged
from harness.names import CLUSTER
from harness.outside import Cluster, Seen, docker, eventually
from harness.project import REPOSITORY, Project
from harness.run import Run

pytestmark = pytest.mark.cluster

INPUT = "deploy/cluster/node.conf"


class BootProject(Project):
    """A project whose cluster depends on ``deploy/cluster``."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        (self.root / INPUT).parent.mkdir(parents=True)
        self.write(INPUT, "first\n")
        self.append("localloop.yml", '\ncluster:\n  inputs: ["deploy/cluster/**"]\n')
        self.add_node_file("one")

    def node(self) -> str:
        return docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", self.cluster.node)

    def on_node(self) -> str:
        """The node file's bytes."""
        return docker("exec", self.cluster.node, "cat", self.node_path)

    def noted(self) -> dict[str, str]:
        """What the cluster was made for, as recorded in it."""
        annotations = self.cluster.get("namespace", "localloop")["metadata"]["annotations"]
        return json.loads(annotations[f"cluster-inputs.localloop/{self.name}"])

    def bootstrap(self, *words: str, code: int | None = 0) -> Run:
        return self.localloop("bootstrap", *words, code=code)

    def play(self, playbook: str, *words: str) -> subprocess.CompletedProcess[str]:
        ansible = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")  # noqa: PTH118, PTH120
        return subprocess.run(
            [ansible, f"playbooks/{playbook}", *words],
            env={**self.cluster.env(), "LOCALLOOP_PROJECT": str(self.root)},
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@pytest.fixture(scope="module")
def made(
    node_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[BootProject, Run]]:
    """A project, and the run that made its cluster."""
    base = tmp_path_factory.mktemp("bootstrap")
    cluster = Cluster(f"{CLUSTER}-boot", base / "state")
    cluster.remove()
    project = BootProject(base / "project", "boot", cluster)
    yield project, project.start("bootstrap").end()
    project.localloop("down", "--cluster", "--force", code=None)
    cluster.remove()


@pytest.fixture
def boot(made: tuple[BootProject, Run]) -> BootProject:
    """The deployed project; each test leaves it so that the next deploy works."""
    project, run = made
    assert run.code == 0, run.text
    project.deploy()
    return project


@pytest.fixture
def other(boot: BootProject) -> Iterator[Project]:
    """Another project on the same cluster."""
    project = Project(boot.root.parent / "other", "other", boot.cluster)
    project.deploy()
    yield project
    project.localloop("down")


def served_as_before(project: BootProject, node: str, before: Seen) -> None:
    assert project.node() == node
    assert project.outside.see() == before


def test_without_a_cluster_one_is_made(made: tuple[BootProject, Run]) -> None:
    project, run = made
    assert run.code == 0, run.text
    seen = project.outside.see()
    assert "Hello from localloop" in seen.page
    found = run.report["bootstrap"]
    assert found["mode"] == "create"
    assert found["recreated_cluster"] is False
    assert found["pushed_web"] is True
    assert found["cluster_name"] == project.cluster.name
    assert seen.image.startswith(f"{found['image_repo_base']}/web@")
    assert run.report["plan"]["requires_cluster_bootstrap"] is True
    assert run.report["plan"]["cluster_bootstrap_reason"] == "cluster_missing"
    durations = run.report["durations_ms"]
    assert 1000 < durations["cluster_create"] < durations["playbook"]
    assert project.noted()["state"] == "bootstrapped"
    assert project.noted()["transaction"] == run.report["header"]["transaction_id"]
    again = project.deploy()
    unchanged(again, project.outside, seen)
    assert again.report["bootstrap"] is None


def test_with_an_existing_cluster_and_no_terminal(boot: BootProject) -> None:
    before, node, reports = boot.outside.see(), boot.node(), boot.reports()
    run = boot.bootstrap(code=2)
    assert "--reuse-ok" in run.text
    assert "--recreate" in run.text
    served_as_before(boot, node, before)
    assert boot.reports() == reports

    played = boot.play("bootstrap.yml")
    assert played.returncode == 2
    assert "localloop_bootstrap=reuse" in played.stderr
    served_as_before(boot, node, before)


def test_on_a_terminal_it_asks(boot: BootProject) -> None:
    before, node = boot.outside.see(), boot.node()
    for answer, code, words in (("no\n", 2, "was not changed"), ("reuse\n", 0, "Nothing to do")):
        leader, follower = pty.openpty()
        os.write(leader, answer.encode())
        done = subprocess.run(
            [sys.executable, "-m", "localloop", "bootstrap", "--project", str(boot.root)],
            env=boot.cluster.env(),
            stdin=follower,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        os.close(leader)
        os.close(follower)
        assert done.returncode == code, done.stdout + done.stderr
        assert "recreate  delete it and create a new one" in done.stdout
        assert words in done.stdout + done.stderr
    served_as_before(boot, node, before)


def test_reuse_keeps_the_cluster_and_accepts_its_inputs(boot: BootProject) -> None:
    before, node, noted = boot.outside.see(), boot.node(), boot.noted()
    boot.write(INPUT, "reused\n")
    planned = boot.localloop("plan")
    assert "cluster_inputs_changed" in planned.text
    assert INPUT in planned.text
    run = boot.bootstrap("--reuse-ok")
    served_as_before(boot, node, before)
    assert run.report["bootstrap"]["mode"] == "reuse"
    infra = run.report["fingerprints"]["cluster_infra"]
    assert infra["previous"] == noted["fingerprint"] != infra["current"]
    assert infra["state_written"] is True
    assert boot.noted() == {
        "fingerprint": infra["current"],
        "state": "accepted",
        "transaction": run.report["header"]["transaction_id"],
    }
    assert f"accepted by {boot.noted()['transaction']}" in boot.localloop("status").text
    quiet = boot.deploy()
    assert quiet.report["outcome"] == "unchanged"
    assert quiet.report["fingerprints"]["cluster_infra"]["state_written"] is False
    served_as_before(boot, node, before)


def test_a_failing_build_leaves_the_old_cluster_running(boot: BootProject) -> None:
    """On request or automatically: nothing is removed before everything is built."""
    before, node, dockerfile = boot.outside.see(), boot.node(), boot.read("Dockerfile")
    boot.add_build_step("exit 3")
    asked = boot.bootstrap("--recreate", code=1)
    assert "build_failed:web" in asked.report["error"]["reason"]
    assert asked.report["bootstrap"]["mode"] == "recreate"
    assert asked.report["bootstrap"]["recreated_cluster"] is False
    served_as_before(boot, node, before)
    boot.write(INPUT, "with a failing build\n")
    unasked = boot.deploy(code=1)
    assert "cluster_inputs_changed" in unasked.text
    assert unasked.report["error"]["reason"] == "build_failed:web"
    served_as_before(boot, node, before)
    boot.write("Dockerfile", dockerfile)
    boot.bootstrap("--reuse-ok")
    served_as_before(boot, node, before)


def test_refused_if_another_project_is_deployed(boot: BootProject, other: Project) -> None:
    before, node, noted = boot.outside.see(), boot.node(), boot.noted()
    boot.write(INPUT, "not for the other project\n")
    for run in (boot.deploy(code=1), boot.deploy("web", code=1)):
        assert run.report["error"]["reason"] == "cluster_inputs_changed"
        for words in (INPUT, "project other", "release other/hello", "bootstrap --recreate"):
            assert words in run.text
    assert "Hello from localloop" in other.outside.page()
    shared = boot.bootstrap("--recreate", code=2)
    assert shared.report["error"]["reason"] == "cluster_shared"
    assert "project other" in shared.text
    assert "refused" in boot.localloop("plan").text
    assert "cluster_inputs_changed" in boot.localloop("status").text
    # The other one has no inputs, so none of this concerns it.
    assert other.deploy().report["outcome"] == "unchanged"
    played = boot.play("deploy-fast.yml")
    assert played.returncode != 0
    assert INPUT in played.stdout
    served_as_before(boot, node, before)
    assert boot.noted() == noted
    boot.bootstrap("--reuse-ok")


def test_changed_inputs_replace_the_cluster_whatever_the_target(boot: BootProject) -> None:
    before, node, uid = boot.outside.see(), boot.node(), boot.cluster.uid()
    registry = docker("inspect", "-f", "{{.Id}}", boot.cluster.registry_container)
    boot.write(INPUT, "second\n")
    boot.set_page("On a new cluster")
    boot.write("tool/text", "two")
    boot.append("chart/values.yaml", "unused: 1\n")
    run = boot.deploy("web")
    after = boot.outside.see()
    assert boot.node() != node
    assert boot.cluster.uid() != uid
    assert not set(after.pods) & set(before.pods)
    assert "On a new cluster" in after.page
    assert after.revisions == ((1, "deployed"),)
    assert boot.on_node() == "two"
    assert docker("inspect", "-f", "{{.Id}}", boot.cluster.registry_container) == registry
    assert len(after.builds) == len(before.builds) + 1
    report = run.report
    assert report["header"]["targets_requested"] == "web"
    assert report["plan"]["requires_cluster_bootstrap"] is True
    reason = report["plan"]["cluster_bootstrap_reason"]
    assert reason == f"cluster_inputs_changed: changed {INPUT}"
    assert report["bootstrap"]["mode"] == "recreate"
    assert report["bootstrap"]["recreated_cluster"] is True
    assert report["bootstrap"]["pushed_web"] is True
    assert report["plan"]["build_web"] is True
    assert "cluster_recreated" in run.reasons("hello")
    assert run.plan_of("tool")["steps"][:3] == ["build", "publish", "put"]
    assert report["fingerprints"]["cluster_infra"]["current"] == boot.noted()["fingerprint"]
    assert boot.noted()["state"] == "bootstrapped"
    unchanged(boot.deploy(), boot.outside, after)


def test_recreate_on_request(boot: BootProject) -> None:
    before, node = boot.outside.see(), boot.node()
    run = boot.bootstrap("--recreate")
    after = boot.outside.see()
    assert boot.node() != node
    assert not set(after.pods) & set(before.pods)
    assert (after.page, after.tags) == (before.page, before.tags)
    assert boot.on_node() == "two"
    steps = {name: found["steps"] for name, found in run.report["components"].items()}
    assert (steps["web"], steps["tool"][0], steps["hello"]) == ([], "put", ["release"])
    assert run.report["bootstrap"]["recreated_cluster"] is True
    assert run.report["plan"]["cluster_bootstrap_reason"] == "recreate_requested"
    unchanged(boot.deploy(), boot.outside, after)


def test_check_of_a_stopped_cluster_starts_nothing(boot: BootProject) -> None:
    node = boot.node()
    docker("stop", "-t", "5", boot.cluster.node)
    docker("rm", "-f", boot.cluster.registry_container)
    before = boot.cluster.objects_of_docker()
    played = boot.play("deploy-fast.yml", "--check")
    assert played.returncode == 0, played.stdout + played.stderr
    assert boot.cluster.objects_of_docker() == before
    assert boot.node() == node
    assert docker("inspect", "-f", "{{.State.Running}}", boot.cluster.node) == "false"
    assert f"{boot.cluster.registry_container} would be created" in played.stdout
    assert "unchecked: inputs_same" in played.stdout


def test_a_playbook_replaces_a_broken_node(boot: BootProject) -> None:
    """A node that cannot become ready is reported with a command, which then works."""
    node = boot.cluster.node
    docker("exec", node, "mv", "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes")
    docker("stop", "-t", "5", node)
    failed = boot.play("deploy-fast.yml", "-e", "cluster_ready_timeout=4")
    assert failed.returncode != 0
    assert "bootstrap --recreate" in failed.stdout
    before = boot.node()
    refused = boot.play("bootstrap.yml", "-e", "localloop_bootstrap=recreate")
    assert refused.returncode == 2
    assert "force" in refused.stderr
    assert boot.node() == before
    done = boot.play(
        "bootstrap.yml", "-e", "localloop_bootstrap=recreate", "-e", "localloop_force=true"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert boot.node() != before
    seen = boot.outside.see()
    assert "On a new cluster" in seen.page
    unchanged(boot.deploy(), boot.outside, seen)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_a_port_that_is_added_and_taken_away(boot: BootProject) -> None:
    """A node that lacks a published port is replaced; one that has too many is good enough."""
    port, config = free_port(), boot.read("localloop.yml")
    service = {"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}}
    boot.edit("localloop.yml", "cluster:\n", f'cluster:\n  ports: ["{port}:30080"]\n')
    planned = boot.localloop("plan")
    assert f"port 127.0.0.1:{port} for 30080/tcp" in planned.text
    node = boot.node()
    run = boot.deploy()
    assert boot.node() != node
    assert run.report["bootstrap"]["recreated_cluster"] is True
    assert docker("port", boot.cluster.node, "30080/tcp") == f"127.0.0.1:{port}"
    boot.outside.kubectl("patch", "service", "hello", "-p", json.dumps(service))
    address = f"http://127.0.0.1:{port}/"
    page = eventually("the page at the port", lambda: _get(address), within=30)
    assert page == boot.outside.page()
    boot.deploy()  # sets the Service back

    before, node = boot.outside.see(), boot.node()
    boot.write("localloop.yml", config)
    unchanged(boot.deploy(), boot.outside, before)
    assert boot.node() == node


def _get(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.mark.parametrize("playbook", ["bootstrap.yml", "deploy-fast.yml"])
def test_check_without_a_cluster_predicts_one_and_makes_nothing(
    playbook: str, tmp_path: Path
) -> None:
    cluster = Cluster(f"{CLUSTER}-nowhere", tmp_path / "state")
    project = BootProject(tmp_path / "project", "nowhere", cluster)
    before = sorted(project.root.rglob("*"))
    try:
        run = project.playbook("--check", "--diff", playbook=playbook)
        assert cluster.objects_of_docker() == []
    finally:
        cluster.remove()
    assert [path for path in cluster.state.rglob("*") if not path.is_dir()] == []
    assert sorted(project.root.rglob("*")) == before
    for words in (
        f"{cluster.node} would be created",
        f"{cluster.registry_container} would be created",
        "The nodes would pull from",
        "unchecked: never_deployed",
    ):
        assert words in run.text
    recap = run.recap()
    assert set(recap) == {"web", "tool", "hello"}
    assert all(counts["changed"] and not counts["failed"] for counts in recap.values())
