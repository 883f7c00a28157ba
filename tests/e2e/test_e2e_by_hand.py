"""A kind cluster made by hand, whose nodes pull from localloop's own registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.claims import unchanged
from harness.names import CLUSTER
from harness.outside import Cluster, docker, output
from harness.project import Project

pytestmark = pytest.mark.cluster

CERTS = "/etc/containerd/certs.d"
HOSTING = ("-n", "kube-public", "configmap", "local-registry-hosting", "--ignore-not-found")


class ByHand(Cluster):
    """A kind cluster that localloop knows nothing of, with a kubeconfig of its own."""

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    def containerd(self) -> str:
        """Every file of the node's containerd configuration, by its digest."""
        find = "find /etc/containerd -type f -exec sha256sum {} + | sort"
        return docker("exec", self.node, "sh", "-c", find)

    def hosts(self) -> list[str]:
        """The node's ``hosts.toml`` files."""
        find = f"find {CERTS} -name hosts.toml 2>/dev/null | sort"
        return docker("exec", self.node, "sh", "-c", find).split()

    def hosting(self) -> str:
        return self.kubectl("get", *HOSTING, "-o", "json")

    def registries(self) -> list[str]:
        """The registry's container and volume, as far as they are there."""
        named = f"name={self.registry_container}"
        found = docker("ps", "-a", "--filter", named, "--format", "container")
        return [*found.split(), *docker("volume", "ls", "-q", "--filter", named).split()]

    def own_objects(self) -> Any:
        """What a project has no part in: its version tells of any write."""
        kinds = "configmaps,secrets,services,daemonsets,deployments,roles,rolebindings"
        found = {}
        for namespace in ("kube-system", "kube-public", "default"):
            for obj in self.items("-n", namespace, kinds):
                meta = obj["metadata"]
                found[namespace, obj["kind"], meta["name"]] = meta["uid"], meta.get("generation")
        return found


@pytest.fixture(scope="module")
def by_hand(node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    made = ByHand(f"{CLUSTER}-hand", tmp_path_factory.mktemp("by-hand"))
    made.remove()
    named = [f"--name={made.name}", f"--kubeconfig={made.kubeconfig}"]
    try:
        output(["kind", "create", "cluster", *named, f"--image={node_image}", "--wait=60s"])
        yield made
    finally:
        made.remove()


@pytest.fixture
def found(by_hand: ByHand, tmp_path: Path) -> Iterator[Project]:
    """A project whose images the nodes of that cluster pull from localloop's registry."""
    project = Project(tmp_path / "project", "by-hand", by_hand)
    project.append(
        "localloop.yml",
        f"\ncluster: {{context: {by_hand.context}, kubeconfig: {by_hand.kubeconfig}}}"
        "\nregistry: {route: ours}\n",
    )
    yield project
    project.end_runs()


def test_its_nodes_pull_from_our_registry_until_down(by_hand: ByHand, found: Project) -> None:
    before = by_hand.own_objects(), by_hand.containerd()
    assert (by_hand.hosting(), by_hand.hosts(), by_hand.registries()) == ("", [], [])
    plan = found.localloop("plan")
    assert "ours (registry.route)" in plan.text
    assert by_hand.registries() == []

    found.set_page("Pulled first")
    first = found.deploy()
    assert first.report["header"]["image_route"] == "ours"
    assert first.report["header"]["image_route_reason"] == "registry.route"
    seen = found.outside.see()
    assert "Pulled first" in seen.page
    address = by_hand.registry_url().removeprefix("http://")
    assert seen.image.startswith(f"{address}/by-hand/web@sha256:")
    assert f'host: "{address}"' in json.loads(by_hand.hosting())["data"]["localRegistryHosting.v1"]
    port = address.rpartition(":")[2]
    assert by_hand.hosts() == [
        f"{CERTS}/{host}:{port}/hosts.toml" for host in ("127.0.0.1", "localhost")
    ]
    unchanged(found.deploy(), found.outside, seen)
    status = json.loads(found.localloop("status", "-o", "json").out)
    assert status["cluster"]["images"] == "ours (registry.route)"

    found.set_page("Pulled again")
    edited = found.deploy()
    assert edited.plan_of("web")["steps"] == ["build", "publish"]
    assert "Pulled again" in found.outside.page()

    # Stopped and without a mirror, both are put right by the next deploy that has work.
    docker("stop", by_hand.registry_container)
    docker("exec", by_hand.node, "rm", by_hand.hosts()[0])
    found.set_page("Pulled after repair")
    found.deploy()
    assert "Pulled after repair" in found.outside.page()
    assert len(by_hand.hosts()) == 2

    found.localloop("down")
    assert found.outside.history() == []
    assert (by_hand.hosting(), by_hand.hosts(), by_hand.registries()) == ("", [], [])
    assert (by_hand.own_objects(), by_hand.containerd()) == before
    assert "removed" not in found.localloop("down").text


def test_what_others_wrote_there_is_never_touched(by_hand: ByHand, found: Project) -> None:
    by_hand.kubectl(
        "create", "-n", "kube-public", "configmap", "local-registry-hosting",
        "--from-literal=localRegistryHosting.v1=host: localhost:5001",
    )  # fmt: skip
    theirs = by_hand.hosting()
    foreign = f"{CERTS}/docker.io/hosts.toml"
    docker("exec", by_hand.node, "sh", "-c", f"mkdir -p {CERTS}/docker.io; echo '# x' > {foreign}")
    try:
        found.deploy()
        assert by_hand.hosting() == theirs
        assert len(by_hand.hosts()) == 3
        found.localloop("down")
        assert by_hand.hosting() == theirs
        assert by_hand.hosts() == [foreign]
        assert by_hand.registries() == []
    finally:
        by_hand.kubectl("delete", *HOSTING)
        docker("exec", by_hand.node, "rm", "-r", f"{CERTS}/docker.io")


def test_a_node_that_reads_no_mirrors_is_refused_first(by_hand: ByHand, found: Project) -> None:
    config = "/etc/containerd/config.toml"
    docker("exec", by_hand.node, "cp", config, "/kept.toml")
    docker("exec", by_hand.node, "sed", "-i", "/config_path/d", config)
    before = by_hand.own_objects(), by_hand.containerd()
    try:
        refused = found.localloop("deploy", code=2)
        assert f"node {by_hand.node} cannot be made to pull" in refused.text
        assert "registry: {route: load}" in refused.text
        assert by_hand.registries() == []
        assert (by_hand.own_objects(), by_hand.containerd()) == before
    finally:
        docker("exec", by_hand.node, "mv", "/kept.toml", config)
