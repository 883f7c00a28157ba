"""A cluster of three nodes: files on each, workers that stop, go and come back, and what people do.

One cluster and one deployed project for all tests, which build on each other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.names import CLUSTER
from harness.outside import Cluster, docker, eventually
from harness.project import REPOSITORY, Project
from harness.run import Run

pytestmark = pytest.mark.cluster

TOOL = "/opt/three-nodes/bin/tool"
OUTSIDE = "deb.debian.org"  # a name outside of Docker
WEBHOOK = "webhook.three-nodes.svc"


class Nodes(Project):
    """A program, its webhook and a web server with a claim on each of three nodes."""

    example = REPOSITORY / "tests/e2e/three-nodes"

    def __init__(self, root: Path, cluster: Cluster) -> None:
        super().__init__(root, self.example.name, cluster)
        compile_probe(root / "probe")
        make_certificate(root / "chart")
        self.name_nodes(["control-plane", "worker", "worker2"])

    def name_nodes(self, names: list[str]) -> None:
        """Say which nodes the cluster has, and run a web server on each."""
        config = yaml.safe_load(self.read("localloop.yml"))
        config["cluster"]["nodes"] = len(names)
        config["charts"]["nodes"]["values"]["nodes"] = [f"{self.cluster.name}-{n}" for n in names]
        self.write("localloop.yml", yaml.safe_dump(config))

    def webs(self) -> dict[str, str]:
        """The web server's pod on each node."""
        pods = self.cluster.items("-n", self.name, "pods", "-l", "app=web")
        return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in pods}

    def used(self) -> set[str]:
        """The nodes that the project's pods are on."""
        return {p["spec"].get("nodeName") for p in self.cluster.items("-n", self.name, "pods")}

    def uids(self) -> set[str]:
        pods = self.cluster.items("-n", self.name, "pods")
        return {
            pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]
        }

    def tools(self) -> dict[str, str]:
        """The node file's bytes on each node."""
        return {node: docker("exec", node, "cat", TOOL) for node in self.cluster.nodes}

    def probe(self, pod: str, *words: str) -> str:
        """What a command of the probe prints in a pod."""
        return self.outside.kubectl("exec", pod, "--", "/probe", *words).strip()

    def unchanged(self) -> None:
        before, revisions = self.uids(), self.revisions()
        run = self.deploy()
        assert run.report["outcome"] == "unchanged", run.text
        assert (self.uids(), self.revisions()) == (before, revisions)

    def revisions(self) -> int:
        (release,) = json.loads(self.cluster.helm("-n", self.name, "list", "-o", "json"))
        return int(release["revision"])

    def noted_nodes(self) -> set[str]:
        """The nodes that the record knows to have the file."""
        return set(self.outside.record()["node_files"]["tool"]["nodes"])


def compile_probe(target: Path) -> None:
    source = REPOSITORY / "tests/nodeimage/probe/main.go"
    shutil.copy(source, target.parent / "main.go")
    subprocess.run(
        ["go", "build", "-ldflags=-s -w", "-o", str(target), "main.go"],
        cwd=target.parent,
        env={**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"},
        check=True,
        timeout=300,
    )


def make_certificate(chart: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(WEBHOOK)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (chart / "tls.crt").write_bytes(certificate.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (chart / "tls.key").write_bytes(key.private_bytes(pem, *plain))


@pytest.fixture(scope="module")
def made(node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nodes, Run]]:
    """The project on its own cluster, and the run that made it."""
    base = tmp_path_factory.mktemp("nodes")
    cluster = Cluster(f"{CLUSTER}-nodes", base / "state")
    cluster.remove()
    project = Nodes(base / "project", cluster)
    yield project, project.start("deploy").end()
    project.localloop("down", "--cluster", "--force", code=None)
    left = cluster.objects_of_docker()
    cluster.remove()
    assert not left


@pytest.fixture
def nodes(made: tuple[Nodes, Run]) -> Iterator[Nodes]:
    project, run = made
    assert run.code == 0, f"there are no nodes to test on:\n{run.text}"
    yield project
    project.end_runs()


def test_deployed_and_unchanged(nodes: Nodes) -> None:
    assert len(nodes.cluster.nodes) == 3
    ready = [
        condition["status"]
        for node in nodes.cluster.items("nodes")
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    ]
    assert ready == ["True"] * 3
    assert sorted(nodes.webs()) == nodes.cluster.nodes
    nodes.unchanged()


def test_a_claim_on_every_node(nodes: Nodes) -> None:
    claims = nodes.cluster.items("-n", nodes.name, "persistentvolumeclaims")
    assert [claim["status"]["phase"] for claim in claims] == ["Bound"] * 3
    for node, pod in nodes.webs().items():
        assert nodes.probe(pod, "read", "/data/index.html") == pod
        kept = "cat /var/local-path-provisioner/*/index.html"
        assert docker("exec", node, "sh", "-c", kept) == pod


def test_logs_exec_and_port_forward_on_every_node(nodes: Nodes) -> None:
    for pod in nodes.webs().values():
        assert nodes.outside.kubectl("logs", pod).startswith("started")
        assert nodes.probe(pod, "read", "/tools/tool") == nodes.read("tool/text")
        with nodes.outside.forwarded(f"pod/{pod}", 8080) as address:
            page = urllib.request.urlopen(f"http://{address}/", timeout=10).read().decode()
        assert page.strip() == pod


def test_names_from_every_node(nodes: Nodes) -> None:
    """Of a Service, and outside of Docker; and pods reach pods on other nodes."""
    pods = nodes.webs().values()
    service = nodes.cluster.get("-n", nodes.name, "service", "web")["spec"]["clusterIP"]
    for pod in pods:
        assert service in nodes.probe(pod, "lookup", "web")
        assert nodes.probe(pod, "lookup", OUTSIDE)
        answers = {nodes.probe(pod, "get", "http://web/") for _ in range(9)}
        assert len(answers) > 1


def test_a_custom_resource_and_a_webhook(nodes: Nodes) -> None:
    def size() -> str:
        return nodes.outside.kubectl("get", "box", "box", "-o", "jsonpath={.spec.size}")

    assert size() == "3"
    nodes.edit("chart/values.yaml", "size: 3", "size: 4")
    nodes.deploy()
    assert size() == "4"
    nodes.unchanged()

    def labelled(name: str, refuse: str) -> str:
        metadata: dict[str, Any] = {"name": name, "labels": {"refuse": refuse}}
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    nodes.outside.kubectl("create", "-f", "-", stdin=labelled("allowed", "no"))
    with pytest.raises(AssertionError, match="the webhook refuses it"):
        nodes.outside.kubectl("create", "-f", "-", stdin=labelled("refused", "yes"))


def test_a_node_file_is_on_every_node(nodes: Nodes) -> None:
    assert set(nodes.tools().values()) == {"one"}
    assert nodes.noted_nodes() == set(nodes.cluster.nodes)
    before = set(nodes.webs().values())
    uids = nodes.uids()
    nodes.write("tool/text", "two")
    run = nodes.deploy()
    assert set(nodes.tools().values()) == {"two"}
    assert set(nodes.webs().values()) == before
    assert len(nodes.uids() - uids) == 3  # each was restarted once
    assert run.report["plan"]["tool_reconcile_restarted_pods"] == 3
    for pod in nodes.webs().values():
        assert nodes.probe(pod, "read", "/tools/tool") == "two"
    nodes.unchanged()


def test_a_file_that_one_node_lost(nodes: Nodes) -> None:
    lost = nodes.cluster.nodes[1]
    docker("exec", lost, "rm", TOOL)
    run = nodes.deploy()
    assert lost in run.reasons("tool")
    assert set(nodes.tools().values()) == {"two"}
    nodes.unchanged()


def test_a_pod_that_moved_to_another_node(nodes: Nodes) -> None:
    """It runs the same image there: nothing is to do."""

    def roamer() -> str:
        (pod,) = (
            pod
            for pod in nodes.cluster.items("-n", nodes.name, "pods", "-l", "app=roamer")
            if "deletionTimestamp" not in pod["metadata"]
        )
        return str(pod["spec"]["nodeName"])

    before, revisions = roamer(), nodes.revisions()
    nodes.cluster.kubectl("cordon", before)
    try:
        nodes.outside.kubectl("delete", "pod", "-l", "app=roamer")
        nodes.outside.kubectl("rollout", "status", "deployment/roamer", "--timeout=60s")
        assert roamer() != before
    finally:
        nodes.cluster.kubectl("uncordon", before)
    nodes.unchanged()
    assert nodes.revisions() == revisions


def test_a_worker_that_was_stopped(nodes: Nodes) -> None:
    """The next deploy starts it, and puts the file again that went missing meanwhile."""
    worker = nodes.cluster.nodes[1]
    docker("exec", worker, "rm", TOOL)
    docker("stop", "-t", "5", worker)
    assert worker in nodes.localloop("plan").text
    run = nodes.deploy()
    assert worker in run.text
    assert docker("inspect", "-f", "{{.State.Running}}", worker) == "true"
    text = nodes.read("tool/text")
    assert set(nodes.tools().values()) == {text}
    assert run.report["readiness"]["readiness_gate_status"] == "ready"
    assert nodes.probe(nodes.webs()[worker], "read", "/tools/tool") == text
    nodes.unchanged()


def test_a_worker_that_was_removed_is_forgotten(nodes: Nodes) -> None:
    gone = nodes.cluster.nodes[2]
    docker("rm", "-fv", gone)
    nodes.cluster.kubectl("delete", "node", gone)
    # The cluster has fewer nodes than localloop.yml asks for, which only a new one would mend.
    plan = nodes.localloop("plan")
    assert "1 more worker" in plan.text
    # With fewer wanted, it is good enough as it is.
    nodes.name_nodes(["control-plane", "worker"])
    uid = nodes.cluster.uid()
    nodes.deploy()
    assert nodes.cluster.uid() == uid
    assert nodes.noted_nodes() == set(nodes.cluster.nodes) == set(nodes.tools())
    eventually("the end of its pods", lambda: nodes.used() <= set(nodes.cluster.nodes))
    assert set(nodes.webs()) == set(nodes.cluster.nodes)
    for name in ("roamer", "webhook"):
        nodes.outside.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    nodes.unchanged()
