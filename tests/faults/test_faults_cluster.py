"""The cluster itself: absent, stopped, unhealthy, re-created. On a spare one, in this order."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import SPARE
from harness.claims import seen_by_inputs, unchanged
from harness.outside import Cluster, docker
from harness.project import Project
from harness.run import Run

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def spare(
    first_deploy: tuple[Project, Run], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project on its own cluster, which only runs if an earlier test left it running.

    It comes after the first cluster, which has built what clusters are made of.
    """
    base = tmp_path_factory.mktemp("spare")
    cluster = Cluster(SPARE, base / "state")
    cluster.remove()
    project = Project(base / "project", "spare", cluster)
    yield project
    project.localloop("down", "--cluster", "--force", code=None)
    left = cluster.objects_of_docker()
    cluster.remove()
    assert not left


@pytest.fixture
def running(spare: Project) -> Project:
    """The spare cluster runs and the project is deployed to it."""
    spare.deploy()
    return spare


def test_absent(spare: Project) -> None:
    spare.cluster.remove()
    assert spare.localloop("status").code == 0
    assert "cluster_missing" in spare.localloop("plan").text
    assert spare.cluster.objects_of_docker() == []
    run = spare.deploy()
    assert "cluster_missing" in run.text
    assert run.report["outcome"] == "deployed"
    assert "Hello from localloop" in spare.outside.page()
    unchanged(spare.deploy(), spare.outside, spare.outside.see())


def test_stopped(running: Project) -> None:
    before, node = running.outside.see(), docker("inspect", "-f", "{{.Id}}", running.cluster.node)
    docker("stop", "-t", "5", running.cluster.node)
    seen_by_inputs(running.localloop("plan"), "cluster is started first (cluster_stopped)")
    run = running.deploy()
    assert "cluster_stopped" in run.text
    after = running.outside.see()
    assert docker("inspect", "-f", "{{.Id}}", running.cluster.node) == node
    assert (after.page, after.tags) == (before.page, before.tags)
    assert run.report["readiness"]["readiness_gate_status"] == "ready"
    unchanged(running.deploy(), running.outside, after)


def test_down_of_a_stopped_cluster_asks_for_force(running: Project) -> None:
    """Whether another project is deployed there cannot be seen."""
    docker("stop", "-t", "5", running.cluster.node)
    before = running.cluster.objects_of_docker()
    run = running.localloop("down", "--cluster", code=2)
    assert "cluster_stopped" in run.text
    assert "--force" in run.text
    assert running.cluster.objects_of_docker() == before


def test_paused_is_restarted_once(running: Project) -> None:
    started = docker("inspect", "-f", "{{.State.StartedAt}}", running.cluster.node)
    docker("pause", running.cluster.node)
    run = running.deploy()
    assert "cluster_paused" in run.text
    assert docker("inspect", "-f", "{{.State.StartedAt}}", running.cluster.node) != started
    assert "Hello from localloop" in running.outside.page()
    unchanged(running.deploy(), running.outside, running.outside.see())


def test_api_server_that_hangs(running: Project) -> None:
    """A frozen API server is unhealthy once Docker's health check has failed often enough."""
    node = running.cluster.node
    docker("exec", node, "pkill", "-STOP", "kube-apiserver")
    plan = running.localloop("plan")
    assert plan.seconds < 15
    if "cluster_unhealthy" not in plan.text:
        seen_by_inputs(plan, "cluster cannot be seen (apiserver_unreachable)")
    run = running.deploy(code=None)
    if run.code:
        # Before Docker notices, the run fails with its name, in time, and claims nothing.
        assert run.code == 1
        assert run.seconds < 15
        assert "API server" in run.text
        from harness.outside import eventually

        eventually(
            "unhealthy",
            lambda: docker("inspect", "-f", "{{.State.Health.Status}}", node) == "unhealthy",
            within=90,
        )
        run = running.deploy()
    assert "cluster_unhealthy" in run.text
    assert "Hello from localloop" in running.outside.page()
    unchanged(running.deploy(), running.outside, running.outside.see())


def test_re_created_under_the_same_name(running: Project) -> None:
    uid, tags = running.cluster.uid(), running.outside.tags()
    cluster = running.cluster
    docker("rm", "-f", cluster.node)
    for purpose in ("containerd", "kubelet", "state"):
        docker("volume", "rm", f"localloop-{cluster.name}-{purpose}")
    run = running.deploy()
    assert cluster.uid() != uid
    assert "cluster_missing" in run.text
    assert "cluster_recreated" in run.text
    assert "cluster_recreated" in run.reasons("hello")
    after = running.outside.see()
    assert "Hello from localloop" in after.page
    assert after.revisions == ((1, "deployed"),)
    assert after.tags == tags  # the registry survived: nothing is built
    unchanged(running.deploy(), running.outside, after)


def test_kubeconfig_deleted_or_damaged(running: Project) -> None:
    before = running.outside.see()
    path: Path = running.cluster.kubeconfig
    for damage in ("", "not: [yaml"):
        path.unlink()
        if damage:
            path.write_text(damage)
        run = running.deploy()
        assert run.report["outcome"] == "unchanged"
    unchanged(running.deploy(), running.outside, before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_port_taken_between_choice_and_start(spare: Project) -> None:
    """A node that Docker created but could not start is not just stopped: it gets another port."""
    cluster = spare.cluster
    spare.deploy()
    image = docker("inspect", "-f", "{{.Config.Image}}", cluster.node)
    spare.localloop("down", "--cluster", "--force")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        label = f"localloop.cluster={cluster.name}"
        words = ("--name", cluster.node, "--label", label, "-p", f"127.0.0.1:{port}:6443")
        docker("create", *words, image)
        run = spare.deploy()
    assert "cluster_never_started" in run.text
    assert "Hello from localloop" in spare.outside.page()


def test_down_with_the_cluster_removes_its_remains(spare: Project) -> None:
    spare.deploy()
    docker("rm", "-f", spare.cluster.node)
    spare.localloop("down", "--cluster")
    assert spare.cluster.objects_of_docker() == []


def test_the_playbook_removes_the_cluster_too(spare: Project) -> None:
    def down(*words: str) -> Run:
        return spare.playbook("-e", "down_cluster=true", *words, playbook="down.yml")

    spare.deploy()
    before = spare.cluster.objects_of_docker()
    foreseen = down("--check")
    assert all(counts["changed"] for counts in foreseen.recap().values())
    assert spare.cluster.objects_of_docker() == before
    done = down()
    assert all(counts["changed"] for counts in done.recap().values())
    assert done.report["outcome"] == "removed"
    assert spare.cluster.objects_of_docker() == []
    again = down()
    assert [counts["changed"] for counts in again.recap().values()] == [0, 0]
    assert again.report["outcome"] == "unchanged"
