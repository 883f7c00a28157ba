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
SHELL = "localhost/local-path-helper:node"  # busybox; in every node of ours
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
    [plugins."io.containerd.grpc.v1.cri".registry.mirrors."mirror.invalid"]
      endpoint = ["http://mirror.invalid"]
"""
MERGED = 'mirrors."mirror.invalid"'


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

    def sh(self, pod: str, command: str) -> str:
        return self.kubectl("exec", pod, "--", "sh", "-c", command, timeout=30)


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
def webs(cluster: Cluster) -> dict[str, str]:
    """On each node a pod that serves its name from a claim, behind one Service; pods by node."""
    found = {}
    for position, node in enumerate(NODES):
        name = f"web-{position}"
        found[node] = name
        cluster.apply(claim(name), web(name, node))
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


def web(name: str, node: str) -> dict[str, Any]:
    script = f"echo {name} > /data/index.html; echo started; busybox httpd -f -vv -p 8080 -h /data"
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
                    "image": SHELL,
                    "imagePullPolicy": "Never",
                    "command": ["sh", "-c", script],
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
        assert MERGED in run("docker", "exec", node, "containerd", "config", "dump").replace(
            "'", '"'
        )


def test_claims_logs_exec_on_every_node(cluster: Cluster, webs: dict[str, str]) -> None:
    for node, name in webs.items():
        assert cluster.pod(name)["spec"]["nodeName"] == node
        assert cluster.kubectl("logs", name).startswith("started")
        assert cluster.sh(name, "cat /data/index.html").strip() == name
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
        inside = cluster.sh(name, "busybox nslookup web.default.svc.cluster.local")
        assert service in inside
        other = cluster.sh(name, f"busybox nslookup {CONTROL_PLANE}")  # Docker's own DNS knows it
        assert "Address" in other
        outside = cluster.sh(name, f"busybox nslookup {OUTSIDE}")
        print(f"  {node}: {OUTSIDE} is {outside.split()[-1]}")
        assert OUTSIDE in outside


def test_every_pod_reaches_every_pod(cluster: Cluster, webs: dict[str, str]) -> None:
    addresses = {name: cluster.pod(name)["status"]["podIP"] for name in webs.values()}
    for name in webs.values():
        for other, address in addresses.items():
            got = cluster.sh(name, f"busybox wget -qO- -T 5 http://{address}:8080/")
            assert got.strip() == other
    # The source address is the pod's own, on whichever node it is.
    for name in webs.values():
        log = cluster.kubectl("logs", name)
        for address in addresses.values():
            assert address in log


def test_service_and_node_port(cluster: Cluster, webs: dict[str, str]) -> None:
    for name in webs.values():
        answers = {
            cluster.sh(name, "busybox wget -qO- -T 5 http://web.default/").strip()
            for _ in range(12)
        }
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
        assert "1 packets received" in cluster.sh(name, f"busybox ping -c 1 -W 5 {address}")


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


@pytest.fixture(scope="module")
def webhook_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of our own, in Docker only."""
    context = tmp_path_factory.mktemp("webhook")
    shutil.copy(Path(__file__).parent / "webhook/main.go", context)
    environ = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"}
    subprocess.run(
        ["go", "build", "-ldflags=-s -w", "-o", "webhook", "main.go"],
        cwd=context,
        env=environ,
        check=True,
        timeout=300,
    )
    (context / "Dockerfile").write_text('FROM scratch\nCOPY webhook /\nENTRYPOINT ["/webhook"]\n')
    tag = f"{NAME}-webhook:{int(time.time())}"
    run("docker", "build", "-q", "-t", tag, context)
    return tag


def test_kind_load_and_admission_webhook(
    cluster: Cluster, webhook_image: str, tmp_path: Path
) -> None:
    start = time.monotonic()
    run("kind", "load", "docker-image", webhook_image, f"--name={NAME}")
    print(f"  kind load docker-image, 3 nodes: {time.monotonic() - start:.1f} s")
    for node in NODES:
        assert webhook_image in run(
            "docker", "exec", node, "ctr", "-n", "k8s.io", "images", "list", "-q"
        )

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
        cluster.apply(*webhook(webhook_image, node, authority))
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


def test_stateful_set_restart(cluster: Cluster) -> None:
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
                        "terminationGracePeriodSeconds": 1,
                        "containers": [
                            {
                                "name": "one",
                                "image": SHELL,
                                "imagePullPolicy": "Never",
                                "command": ["sh", "-c", "exec busybox sleep 1000000"],
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
        cluster.sh(name, f"busybox wget -qO- -T 5 http://{address}:8080/").strip() == other
        and "Address" in cluster.sh(name, f"busybox nslookup {OUTSIDE}")
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


@pytest.mark.parametrize("position", [0, 2])
def test_node_at_another_address(cluster: Cluster, webs: dict[str, str], position: int) -> None:
    node = NODES[position]
    old = addresses()[node]
    new = f"{old.rpartition('.')[0]}.{200 + position}"
    run("docker", "stop", node)
    run("docker", "network", "disconnect", "kind", node)
    run("docker", "network", "connect", "--ip", new, "kind", node)
    run("docker", "start", node)
    print(f"\n  {node}: {old} -> {new}")
    assert addresses()[node] == new
    until("the API server answers", lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok")
    until("the cluster knows", lambda: new in cluster.kubectl("get", "nodes", "-o", "wide"), 120)
    until("all nodes are Ready", cluster.all_ready, 120)
    until("its pod runs again", lambda: cluster.is_ready(webs[node]), 120)
    until("pods reach pods and names", lambda: is_served(cluster, webs), 120)
    certificate = run(
        "docker",
        "exec",
        CONTROL_PLANE,
        "sh",
        "-c",
        "curl -sS --cacert /etc/kubernetes/pki/ca.crt https://$(hostname -i):6443/readyz",
    )
    assert certificate == "ok"
    cluster.kubectl("delete", "pod", webs[node])  # a new pod starts there too, with the same claim
    cluster.apply(web(webs[node], node))
    until("a new pod runs there", lambda: cluster.is_ready(webs[node]), 60)
