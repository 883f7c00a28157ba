"""The cluster itself: absent, stopped, silent, half-made, not ours. On a spare one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.claims import seen_by_inputs, unchanged
from harness.names import SPARE
from harness.outside import KIND_LABEL, LABEL, Cluster, docker, output
from harness.processes import left_behind
from harness.project import Project
from harness.run import Run

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def spare(node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project on its own cluster, which only runs if an earlier test left it running."""
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


def started(cluster: Cluster) -> str:
    """The node's container and its last start."""
    return docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", cluster.node)


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


def test_kubectl_and_kind_see_it(running: Project) -> None:
    cluster = running.cluster
    assert cluster.name in output(["kind", "get", "clusters"]).split()
    (node,) = cluster.items("nodes")
    assert node["metadata"]["name"] == cluster.node
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.37.")
    assert cluster.kubectl("config", "current-context").strip() == cluster.context
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert running.localloop("kubeconfig").out.strip() == str(cluster.kubeconfig)


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


def test_stopped_by_localloop(running: Project) -> None:
    """It frees the memory and keeps everything; the next deploy starts it."""
    cluster, before = running.cluster, running.outside.see()
    kept = cluster.objects_of_docker()
    for _ in range(2):
        running.localloop("stop")
        assert cluster.objects_of_docker() == kept
        for container in (cluster.node, cluster.registry_container):
            assert docker("inspect", "-f", "{{.State.Running}}", container) == "false"
    run = running.deploy()
    assert "cluster_stopped" in run.text
    after = running.outside.see()
    assert (after.page, after.revisions, after.tags) == (
        before.page,
        before.revisions,
        before.tags,
    )
    unchanged(running.deploy(), running.outside, after)


def test_down_of_a_stopped_cluster_asks_for_force(running: Project) -> None:
    """Whether another project is deployed there cannot be seen."""
    docker("stop", "-t", "5", running.cluster.node)
    before = running.cluster.objects_of_docker()
    run = running.localloop("down", "--cluster", code=2)
    assert "cluster_stopped" in run.text
    assert "--force" in run.text
    assert running.cluster.objects_of_docker() == before


def test_paused(running: Project) -> None:
    docker("pause", running.cluster.node)
    run = running.deploy()
    assert "cluster_paused" in run.text
    assert "Hello from localloop" in running.outside.page()
    unchanged(running.deploy(), running.outside, running.outside.see())


def test_a_node_that_serves_is_left_alone(running: Project) -> None:
    """It was away for a moment and nothing else happened."""
    before, node = running.outside.see(), started(running.cluster)
    docker("pause", running.cluster.node)
    docker("unpause", running.cluster.node)
    unchanged(running.deploy(), running.outside, before)
    assert started(running.cluster) == node


def test_api_server_that_hangs(running: Project) -> None:
    """It is frozen: the node runs, but nothing answers. It is restarted once."""
    before, node = running.outside.see(), started(running.cluster)
    docker("exec", running.cluster.node, "pkill", "-STOP", "kube-apiserver")
    plan = running.localloop("plan")
    assert plan.seconds < 15
    seen_by_inputs(plan, "cluster is restarted first (cluster_not_answering)")
    run = running.deploy()
    assert "cluster_not_answering" in run.text
    assert started(running.cluster) != node
    after = running.outside.see()
    assert (after.page, after.revisions) == (before.page, before.revisions)
    unchanged(running.deploy(), running.outside, after)


def test_api_server_that_is_killed(running: Project) -> None:
    """Its kubelet starts it again, and nobody has to restart the node for it."""
    before, node = running.outside.see(), started(running.cluster)
    docker("exec", running.cluster.node, "pkill", "-KILL", "kube-apiserver")
    running.deploy()
    assert started(running.cluster) == node
    after = running.outside.see()
    assert (after.page, after.revisions, after.pods) == (
        before.page,
        before.revisions,
        before.pods,
    )
    unchanged(running.deploy(), running.outside, after)


def test_re_created_under_the_same_name(running: Project) -> None:
    uid, tags = running.cluster.uid(), running.outside.tags()
    cluster = running.cluster
    cluster.remove_nodes()
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


@contextmanager
def occupied(port: int) -> Iterator[None]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield


def test_the_api_servers_port_is_taken(running: Project) -> None:
    """While the cluster is gone, something else takes its port: it gets another one."""
    cluster = running.cluster
    port = docker("port", cluster.node, "6443/tcp").rpartition(":")[2]
    cluster.remove_nodes()
    with occupied(int(port)):
        running.deploy()
        assert docker("port", cluster.node, "6443/tcp").rpartition(":")[2] != port
        assert "Hello from localloop" in running.outside.page()


THEIRS = """\
apiVersion: v1
kind: Config
current-context: theirs
contexts: [{name: theirs, context: {cluster: theirs, user: theirs}}]
clusters: [{name: theirs, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: theirs, user: {token: theirs}}]
"""


def test_in_the_users_own_kubeconfig(running: Project, tmp_path: Path) -> None:
    """Its context is added on request, and which one is current stays the user's choice."""
    cluster, theirs = running.cluster, tmp_path / "config"
    theirs.write_text(THEIRS)
    env = {"KUBECONFIG": str(theirs)}
    for _ in range(2):
        running.localloop("kubeconfig", "--merge", env=env)
        argv = ["kubectl", f"--kubeconfig={theirs}"]
        assert output([*argv, "config", "current-context"]).strip() == "theirs"
        assert cluster.node in output([*argv, f"--context={cluster.context}", "get", "nodes"])
    run = running.localloop("down", "--cluster", env=env)
    assert cluster.context in run.text
    assert str(theirs) in run.text


def test_a_create_that_was_killed_half_way(spare: Project) -> None:
    """Its remains are localloop's own: the next run removes them and starts over."""
    cluster = spare.cluster
    spare.localloop("down", "--cluster", "--force")
    run = spare.start("bootstrap")
    run.until("the node's container", lambda: cluster.nodes, within=120)
    run.kill_tree()
    assert not left_behind(run.mark)
    half_made = docker("inspect", "-f", "{{.Id}}", cluster.node)
    again = spare.deploy()
    assert "cluster_half_made" in again.text
    assert docker("inspect", "-f", "{{.Id}}", cluster.node) != half_made
    assert "Hello from localloop" in spare.outside.page()
    unchanged(spare.deploy(), spare.outside, spare.outside.see())


def test_down_with_the_cluster_removes_its_remains(running: Project) -> None:
    volumes = running.cluster.node_volumes()
    docker("rm", "-f", running.cluster.node)
    docker("volume", "rm", *volumes)
    for _ in range(2):
        running.localloop("down", "--cluster")
        assert running.cluster.objects_of_docker() == []
    assert docker("network", "inspect", "-f", "{{.Name}}", "kind") == "kind"


def test_down_after_a_create_that_was_killed(spare: Project) -> None:
    cluster = spare.cluster
    run = spare.start("bootstrap")
    run.until("the node's container", lambda: cluster.nodes, within=120)
    run.kill_tree()
    spare.localloop("down", "--cluster", "--force")
    assert cluster.objects_of_docker() == []


def test_the_playbook_removes_the_cluster_too(running: Project) -> None:
    def down(*words: str) -> Run:
        return running.playbook("-e", "down_cluster=true", *words, playbook="down.yml")

    before, volumes = running.cluster.objects_of_docker(), running.cluster.node_volumes()
    foreseen = down("--check")
    assert all(counts["changed"] for counts in foreseen.recap().values())
    assert running.cluster.objects_of_docker() == before
    done = down()
    assert all(counts["changed"] for counts in done.recap().values())
    assert done.report["outcome"] == "removed"
    assert running.cluster.objects_of_docker() == []
    assert not set(volumes) & set(docker("volume", "ls", "-q").split())
    again = down()
    assert [counts["changed"] for counts in again.recap().values()] == [0, 0]
    assert again.report["outcome"] == "unchanged"


# -- clusters of others: the spare one is gone ----------------------------------------------------

COMMANDS = (
    ("deploy",),
    ("bootstrap", "--reuse-ok"),
    ("bootstrap", "--recreate", "--force"),
    ("down", "--cluster", "--force"),
    ("stop",),
)


def refused(project: Project) -> None:
    """No command touches the nodes of that name; each says how to use such a cluster."""
    state = "{{.Id}} {{json .State}}"
    before = docker("inspect", "-f", state, *project.cluster.nodes)
    for words in COMMANDS:
        run = project.localloop(*words, code=2)
        assert f"a kind cluster {project.cluster.name} exists that localloop did not" in run.text
        assert f"cluster: {{context: {project.cluster.context}}}" in run.text
    assert docker("inspect", "-f", state, *project.cluster.nodes) == before


def test_a_cluster_of_plain_kind_works_and_is_refused(
    spare: Project, node_image: str, tmp_path: Path
) -> None:
    """Our node image needs no localloop; a cluster that localloop did not make is left alone."""
    cluster = spare.cluster
    spare.localloop("down", "--cluster", "--force")
    own = f"--kubeconfig={tmp_path}/kubeconfig"
    create = ["kind", "create", "cluster", f"--name={cluster.name}", f"--image={node_image}"]
    try:
        output([*create, own, "--wait=60s"])
        template = "-o=jsonpath={.items[*].status.nodeInfo.kubeletVersion}"
        assert output(["kubectl", own, "get", "nodes", template]).startswith("v1.37.")
        refused(spare)
    finally:
        output(["kind", "delete", "cluster", f"--name={cluster.name}", own])


def test_nodes_of_its_name_that_never_ran_are_refused(spare: Project, node_image: str) -> None:
    """A stand-in for another's cluster: a container with kind's labels, without our proof."""
    cluster = spare.cluster
    labels = [f"--label={KIND_LABEL}={cluster.name}"]
    labels += ["--label=io.x-k8s.kind.role=control-plane"]
    docker("create", "--name", cluster.node, *labels, "--entrypoint=sleep", node_image, "600")
    try:
        refused(spare)
    finally:
        docker("rm", "-f", cluster.node)


def test_a_container_that_has_the_nodes_name_is_left_alone(spare: Project, node_image: str) -> None:
    cluster = spare.cluster
    docker("create", "--name", cluster.node, "--entrypoint=sleep", node_image, "600")
    try:
        before = docker("inspect", "-f", "{{.Id}} {{json .State}}", cluster.node)
        for words in (("deploy",), ("bootstrap", "--recreate", "--force")):
            run = spare.localloop(*words, code=None)
            assert run.code in (1, 2)
            assert cluster.node in run.text
            assert "Traceback" not in run.text
        assert docker("inspect", "-f", "{{.Id}} {{json .State}}", cluster.node) == before
    finally:
        docker("rm", "-f", cluster.node)


def test_what_is_left_of_a_bundled_cluster_is_removed(spare: Project, node_image: str) -> None:
    """Stand-ins with the names and labels that a cluster of the last version had."""
    cluster = spare.cluster
    name, label = f"localloop-{cluster.name}", f"--label={LABEL}={cluster.name}"
    docker("network", "create", label, name)
    mounts = []
    for purpose in ("containerd", "kubelet", "state"):
        docker("volume", "create", label, f"{name}-{purpose}")
        mounts += ["-v", f"{name}-{purpose}:/{purpose}"]
    sleep = ("--entrypoint=sleep", node_image, "600")
    docker("run", "-d", "--name", name, "--network", name, label, *mounts, *sleep)
    docker("run", "-d", "--name", f"{name}-registry", "--network", name, label, *sleep)
    assert len(cluster.objects_of_docker()) == 6
    for _ in range(2):
        spare.localloop("down", "--cluster")
        assert cluster.objects_of_docker() == []
