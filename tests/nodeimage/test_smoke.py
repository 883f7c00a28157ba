"""Our node image under a plain `kind`: three nodes, and what people do with a kind cluster.

It does not build the image and is not part of `make test`:

    NODE_IMAGE=localloop/kind-node:TAG python -m pytest tests/nodeimage -v -s

`kind`, `kubectl`, `openssl` and Go have to be on PATH. NODE_IMAGE_CLUSTER=NAME chooses the
cluster's name; one of that name that exists is used and kept. NODE_IMAGE_KEEP=1 keeps a new one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

IMAGE = os.environ.get("NODE_IMAGE", "")
NAME = os.environ.get("NODE_IMAGE_CLUSTER", "ni-smoke")
OUTSIDE = "deb.debian.org"  # a name outside of Docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGE, reason="NODE_IMAGE names no image: it takes minutes to build"),
]

CONTROL_PLANE = f"{NAME}-control-plane"
NODES = [CONTROL_PLANE, f"{NAME}-worker", f"{NAME}-worker2"]
KIND_CONFIG = """
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes: [{role: control-plane}, {role: worker}, {role: worker}]
containerdConfigPatches:
  - |-
    [plugins."io.containerd.grpc.v1.cri"]
      max_container_log_line_size = 12345
"""
MERGED = "max_container_log_line_size = 12345"


def run(*argv: str | Path, stdin: str = "", timeout: float = 120, code: int | None = 0) -> str:
    done = subprocess.run(
        [str(each) for each in argv],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if code is not None and done.returncode != code:
        raise AssertionError(f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout if code == 0 else done.stdout + done.stderr


def until(what: str, look: Callable[[], Any], within: float = 60) -> Any:
    """What a look says once it is true and raises nothing."""
    start = time.monotonic()
    last: object = None
    while time.monotonic() < start + within:
        try:
            found = look()
            if found:
                print(f"  {what}: {time.monotonic() - start:.1f} s")
                return found
            last = found
        except (AssertionError, OSError, subprocess.TimeoutExpired, ValueError) as error:
            last = error
        time.sleep(0.3)
    raise AssertionError(f"not within {within} s: {what}: {last}")


class Cluster:
    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def kubectl(self, *argv: str, stdin: str = "", timeout: float = 120, code: int = 0) -> str:
        return run(
            "kubectl",
            f"--kubeconfig={self.kubeconfig}",
            *argv,
            stdin=stdin,
            timeout=timeout,
            code=code,
        )

    def apply(self, *objects: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(items))

    def all_ready(self) -> bool:
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return all(
            condition["status"] == "True"
            for node in nodes
            for condition in node["status"]["conditions"]
            if condition["type"] == "Ready"
        )

    def pod(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "pod", name, "-o", "json"))
        return found

    def is_ready(self, name: str) -> bool:
        return any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in self.pod(name)["status"].get("conditions", [])
        )

    def probe(self, pod: str, *argv: str) -> str:
        """What one of probe/main.go's commands prints in a pod."""
        return self.kubectl("exec", pod, "--", "/probe", *argv, timeout=30).strip()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    kubeconfig = tmp_path_factory.mktemp("kind") / "kubeconfig"
    made = Cluster(kubeconfig)
    if NAME in run("kind", "get", "clusters").split():
        run("kind", "export", "kubeconfig", f"--name={NAME}", f"--kubeconfig={kubeconfig}")
        yield made
        return
    config = kubeconfig.parent / "kind.yaml"
    config.write_text(KIND_CONFIG)
    start = time.monotonic()
    try:
        argv = ["create", "cluster", f"--image={IMAGE}", f"--name={NAME}", f"--config={config}"]
        run("kind", *argv, f"--kubeconfig={kubeconfig}", timeout=600)
        print(f"\n  kind create cluster, 3 nodes: {time.monotonic() - start:.1f} s")
        until("all nodes are Ready", made.all_ready, 120)
        print(f"  3 nodes Ready: {time.monotonic() - start:.1f} s")
        yield made
    finally:
        if not os.environ.get("NODE_IMAGE_KEEP"):
            run("kind", "delete", "cluster", f"--name={NAME}", f"--kubeconfig={kubeconfig}")


@pytest.fixture(scope="module")
def image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The pods' image, which only Docker has until `kind load` brings it into the nodes."""
    del cluster
    context = tmp_path_factory.mktemp("probe")
    shutil.copy(Path(__file__).parent / "probe/main.go", context)
    subprocess.run(
        ["go", "build", "-ldflags=-s -w", "-o", "probe", "main.go"],
        cwd=context,
        env={**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"},
        check=True,
        timeout=300,
    )
    (context / "Dockerfile").write_text('FROM scratch\nCOPY probe /\nENTRYPOINT ["/probe"]\n')
    tag = f"{NAME}-probe:{int(time.time())}"
    run("docker", "build", "-q", "-t", tag, context)
    start = time.monotonic()
    run("kind", "load", "docker-image", tag, f"--name={NAME}")
    print(f"\n  kind load docker-image, {len(NODES)} nodes: {time.monotonic() - start:.1f} s")
    return tag


@pytest.fixture(scope="module")
def webs(cluster: Cluster, image: str) -> dict[str, str]:
    """On each node a pod that serves its name from a claim, behind one Service; pods by node."""
    found = {}
    for position, node in enumerate(NODES):
        name = f"web-{position}"
        found[node] = name
        cluster.kubectl("delete", "pod", name, "--ignore-not-found")
        cluster.apply(claim(name), web(name, node, image))
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
    )
    for name in found.values():
        until(f"{name} is Ready", lambda name=name: cluster.is_ready(name), 120)  # type: ignore[misc]
    return found


def claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }


def web(name: str, node: str, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
            "containers": [
                {
                    "name": "web",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "args": ["serve", "/data"],
                    "env": [{"name": "NAME", "value": name}],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    "readinessProbe": {
                        "httpGet": {"path": "/", "port": 8080},
                        "periodSeconds": 1,
                    },
                }
            ],
        },
    }


def test_versions_and_images(cluster: Cluster) -> None:
    nodes = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    for node in nodes:
        info = node["status"]["nodeInfo"]
        print(f"  {node['metadata']['name']}:", info["kubeletVersion"], info["kernelVersion"])
    assert sorted(node["metadata"]["name"] for node in nodes) == sorted(NODES)
    wanted = run(
        "docker",
        "exec",
        CONTROL_PLANE,
        "kubeadm",
        "config",
        "images",
        "list",
        "--kubernetes-version",
        nodes[0]["status"]["nodeInfo"]["kubeletVersion"],
    ).split()
    for node in NODES:
        present = run("docker", "exec", node, "ctr", "-n", "k8s.io", "images", "list", "-q").split()
        assert set(wanted) <= set(present)


def test_containerd_patches_are_merged(cluster: Cluster) -> None:
    del cluster
    for node in NODES:
        assert MERGED in run("docker", "exec", node, "containerd", "config", "dump")


def test_claims_logs_exec_on_every_node(cluster: Cluster, webs: dict[str, str]) -> None:
    for node, name in webs.items():
        assert cluster.pod(name)["spec"]["nodeName"] == node
        assert cluster.kubectl("logs", name).startswith("started")
        assert cluster.probe(name, "read", "/data/index.html") == name
        claimed = run(
            "docker", "exec", node, "sh", "-c", "cat /var/local-path-provisioner/*/index.html"
        )
        assert name in claimed


@contextmanager
def forwarded(cluster: Cluster, target: str, port: int) -> Iterator[str]:
    """A `kubectl port-forward`; its address."""
    argv = ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "port-forward", target, f":{port}"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2]  # Forwarding from ADDRESS -> PORT
    finally:
        process.terminate()
        process.wait(10)


def test_port_forward_to_every_node(cluster: Cluster, webs: dict[str, str]) -> None:
    for name in webs.values():
        with forwarded(cluster, f"pod/{name}", 8080) as address:
            page = urllib.request.urlopen(f"http://{address}/", timeout=10).read().decode()
        assert page.strip() == name


def test_names_from_every_node(cluster: Cluster, webs: dict[str, str]) -> None:
    service = json.loads(cluster.kubectl("get", "service", "web", "-o", "json"))["spec"][
        "clusterIP"
    ]
    for node, name in webs.items():
        assert service in cluster.probe(name, "lookup", "web.default.svc.cluster.local")
        assert service in cluster.probe(name, "lookup", "web")
        # Docker's own DNS server knows its containers.
        assert addresses()[CONTROL_PLANE] in cluster.probe(name, "lookup", f"{CONTROL_PLANE}.")
        print(f"  {node}: {OUTSIDE} is {cluster.probe(name, 'lookup', OUTSIDE)}")


def test_every_pod_reaches_every_pod(cluster: Cluster, webs: dict[str, str]) -> None:
    addresses = {name: cluster.pod(name)["status"]["podIP"] for name in webs.values()}
    for name in webs.values():
        for other, address in addresses.items():
            assert cluster.probe(name, "get", f"http://{address}:8080/") == other
    # The source address is the pod's own, on whichever node it is.
    for name in webs.values():
        log = cluster.kubectl("logs", name)
        for address in addresses.values():
            assert f"from {address}:" in log


def test_service_and_node_port(cluster: Cluster, webs: dict[str, str]) -> None:
    for name in webs.values():
        answers = {cluster.probe(name, "get", "http://web.default/") for _ in range(12)}
        assert len(answers) > 1
    port = {"port": 80, "targetPort": 8080, "nodePort": 30080}
    change = {"spec": {"type": "NodePort", "ports": [port]}}
    cluster.kubectl("patch", "service", "web", "-p", json.dumps(change))
    for node in NODES:
        until(
            f"node port of {node}",
            lambda node=node: (
                "web-"
                in run(  # type: ignore[misc]
                    "docker", "exec", node, "curl", "-sS", "-m", "5", f"http://{node}:30080/"
                )
            ),
        )


def test_outside_from_every_node(cluster: Cluster, webs: dict[str, str]) -> None:
    """Docker's network knows no route to pods: they leave with their node's address."""
    address = run(
        "docker", "inspect", "-f", "{{.NetworkSettings.Networks.kind.Gateway}}", NODES[0]
    ).strip()
    for name in webs.values():
        assert cluster.probe(name, "ping", address) == ""


def test_custom_resource(cluster: Cluster) -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    cluster.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "boxes.example.test"},
            "spec": {
                "group": "example.test",
                "scope": "Namespaced",
                "names": {"kind": "Box", "plural": "boxes", "singular": "box"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schema},
                    }
                ],
            },
        }
    )
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd/boxes.example.test", "--timeout=30s"
    )
    box = {
        "apiVersion": "example.test/v1",
        "kind": "Box",
        "metadata": {"name": "one"},
        "spec": {"size": 3},
    }
    until("a custom resource is served", lambda: cluster.kubectl("get", "boxes") is not None)
    cluster.apply(box)
    assert cluster.kubectl("get", "box", "one", "-o", "jsonpath={.spec.size}") == "3"
    wrong = json.dumps({**box, "spec": {"size": "three"}})
    assert "Invalid value" in cluster.kubectl("apply", "-f", "-", stdin=wrong, code=1)


def test_loaded_image_is_on_every_node(image: str) -> None:
    for node in NODES:
        present = run("docker", "exec", node, "ctr", "-n", "k8s.io", "images", "list", "-q")
        assert f"{image}\n" in present


def test_admission_webhook_on_every_node(cluster: Cluster, image: str, tmp_path: Path) -> None:
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=webhook",
        "-addext",
        "subjectAltName=DNS:webhook.default.svc",
        "-keyout",
        tmp_path / "tls.key",
        "-out",
        tmp_path / "tls.crt",
    )
    cluster.kubectl("delete", "secret", "webhook", "--ignore-not-found")
    cluster.kubectl(
        "create",
        "secret",
        "tls",
        "webhook",
        f"--cert={tmp_path}/tls.crt",
        f"--key={tmp_path}/tls.key",
    )
    authority = run("base64", "-w0", tmp_path / "tls.crt")
    for position, node in enumerate(NODES):  # the API server reaches webhooks on each node
        cluster.apply(*webhook(image, node, authority))
        cluster.kubectl("rollout", "status", "deployment/webhook", "--timeout=60s")
        wanted = config_map(f"no-{position}", refuse="yes")
        until(f"a webhook on {node} refuses", partial(is_refused, cluster, wanted))
        cluster.apply(config_map(f"yes-{position}", refuse="no"))
    cluster.kubectl("delete", "validatingwebhookconfiguration", "smoke")


def config_map(name: str, refuse: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"refuse": refuse}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def is_refused(cluster: Cluster, wanted: dict[str, Any]) -> bool:
    said = cluster.kubectl("create", "-f", "-", stdin=json.dumps(wanted), code=1)
    return "the webhook refuses it" in said


def webhook(image: str, node: str, authority: str) -> list[dict[str, Any]]:
    labels = {"app": "webhook"}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "webhook"},
            "spec": {
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "nodeSelector": {"kubernetes.io/hostname": node},
                        "tolerations": [{"operator": "Exists"}],
                        "terminationGracePeriodSeconds": 0,
                        "volumes": [{"name": "tls", "secret": {"secretName": "webhook"}}],
                        "containers": [
                            {
                                "name": "webhook",
                                "image": image,
                                "args": ["webhook"],
                                "imagePullPolicy": "Never",
                                "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
                                "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
                            }
                        ],
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "webhook"},
            "spec": {"selector": labels, "ports": [{"port": 443, "targetPort": 8443}]},
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "smoke"},
            "webhooks": [
                {
                    "name": "smoke.example.test",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "timeoutSeconds": 5,
                    "failurePolicy": "Fail",
                    "objectSelector": {
                        "matchExpressions": [{"key": "refuse", "operator": "Exists"}]
                    },
                    "clientConfig": {
                        "service": {"name": "webhook", "namespace": "default"},
                        "caBundle": authority,
                    },
                    "rules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE"],
                            "resources": ["configmaps"],
                        }
                    ],
                }
            ],
        },
    ]


def test_stateful_set_restart(cluster: Cluster, image: str) -> None:
    labels = {"app": "set"}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "set"},
            "spec": {
                "serviceName": "set",
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "volumes": [{"name": "tmp", "emptyDir": {}}],
                        "containers": [
                            {
                                "name": "one",
                                "image": image,
                                "imagePullPolicy": "Never",
                                "args": ["serve", "/tmp"],
                                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                            }
                        ],
                    },
                },
            },
        }
    )
    cluster.kubectl("rollout", "status", "statefulset/set", "--timeout=60s")
    for _ in range(3):
        start = time.monotonic()
        cluster.kubectl("rollout", "restart", "statefulset/set")
        cluster.kubectl("rollout", "status", "statefulset/set", "--timeout=60s")
        print(f"  StatefulSet restarted: {time.monotonic() - start:.1f} s")


def test_export_logs(cluster: Cluster, tmp_path: Path, webs: dict[str, str]) -> None:
    del cluster
    run("kind", "export", "logs", tmp_path, f"--name={NAME}")
    for node, name in webs.items():
        for file in (
            "kubelet.log",
            "containerd.log",
            "journal.log",
            "images.log",
            "kubernetes-version.txt",
        ):
            assert (tmp_path / node / file).stat().st_size, (node, file)
        assert list((tmp_path / node / "containers").glob(f"{name}_*.log"))


def addresses() -> dict[str, str]:
    template = "{{.NetworkSettings.Networks.kind.IPAddress}}"
    return {node: run("docker", "inspect", "-f", template, node).strip() for node in NODES}


def is_served(cluster: Cluster, webs: dict[str, str]) -> bool:
    """Every pod reaches every other one and names outside."""
    found = {name: cluster.pod(name)["status"]["podIP"] for name in webs.values()}
    return all(
        cluster.probe(name, "get", f"http://{address}:8080/") == other
        and cluster.probe(name, "lookup", OUTSIDE)
        for name in webs.values()
        for other, address in found.items()
    )


@pytest.mark.parametrize("position", [0, 1])
def test_restart_of_a_node(cluster: Cluster, webs: dict[str, str], position: int) -> None:
    node = NODES[position]
    before = cluster.pod(webs[node])["status"]["containerStatuses"][0]["restartCount"]
    start = time.monotonic()
    run("docker", "restart", node)
    print(f"\n  docker restart {node}: {time.monotonic() - start:.1f} s")
    until("the API server answers", lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok")
    until(
        "its pod runs again",
        lambda: (
            cluster.is_ready(webs[node])
            and cluster.pod(webs[node])["status"]["containerStatuses"][0]["restartCount"] > before
        ),
        120,
    )
    until("all nodes are Ready", cluster.all_ready, 120)
    until("pods reach pods and names", lambda: is_served(cluster, webs), 120)


def test_nodes_at_other_addresses(cluster: Cluster, webs: dict[str, str], image: str) -> None:
    """Docker gives addresses by the order in which containers start: two nodes swap theirs."""
    before = addresses()
    swapped = [NODES[0], NODES[2]]
    run("docker", "stop", *swapped)
    for node in sorted(swapped, key=before.__getitem__, reverse=True):
        run("docker", "start", node)
    after = addresses()
    print(f"\n  {before} -> {after}")
    assert all(before[node] != after[node] for node in swapped)
    until("the API server answers", lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok")
    until("the cluster knows", lambda: known_addresses(cluster) == after, 120)
    until("all nodes are Ready", cluster.all_ready, 120)
    until("its pods run again", lambda: all(map(cluster.is_ready, webs.values())), 120)
    until("pods reach pods and names", lambda: is_served(cluster, webs), 120)
    served = run(
        *("docker", "exec", CONTROL_PLANE, "curl", "-sS", "--cacert", "/etc/kubernetes/pki/ca.crt"),
        f"https://{after[CONTROL_PLANE]}:6443/readyz",
    )
    assert served == "ok"
    for node in swapped:  # new pods start there too, with the claims of the old ones
        cluster.kubectl("delete", "pod", webs[node])
        cluster.apply(web(webs[node], node, image))
        until(f"a new pod runs on {node}", partial(cluster.is_ready, webs[node]))


def known_addresses(cluster: Cluster) -> dict[str, str]:
    """The nodes' addresses as Kubernetes has them."""
    nodes = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    return {
        node["metadata"]["name"]: each["address"]
        for node in nodes
        for each in node["status"]["addresses"]
        if each["type"] == "InternalIP"
    }
