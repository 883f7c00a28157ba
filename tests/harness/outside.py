"""The cluster from outside: through kubectl, helm, docker and the registry's HTTP API."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KIND_LABEL = "io.x-k8s.kind.cluster"
LABEL = "localloop.cluster"
NETWORK = "kind"  # of all clusters that kind makes
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFEST_V2 = "application/vnd.docker.distribution.manifest.v2+json"


def output(argv: list[str], *, stdin: str | None = None) -> str:
    """Run a tool that has to succeed; returns its standard output."""
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def docker(*words: str) -> str:
    return output(["docker", *words]).strip()


def eventually(what: str, happened: Callable[[], Any], *, within: float = 120) -> Any:
    """Wait until something is true that takes the cluster a moment."""
    deadline = time.monotonic() + within
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what} did not come within {within} s"
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Cluster:
    """A kind cluster by its name; ``state`` is the XDG_STATE_HOME of the runs that use it."""

    name: str
    state: Path

    @property
    def node(self) -> str:
        """The control plane's container, which is also the node's name in Kubernetes."""
        return f"{self.name}-control-plane"

    @property
    def nodes(self) -> list[str]:
        """The containers of all nodes, running or not; the control plane comes first."""
        label = f"label={KIND_LABEL}={self.name}"
        return sorted(docker("ps", "-a", "--filter", label, "--format", "{{.Names}}").split())

    @property
    def context(self) -> str:
        return f"kind-{self.name}"

    @property
    def registry_container(self) -> str:
        return f"localloop-{self.name}-registry"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def directory(self) -> Path:
        """Where localloop keeps what it knows of this cluster."""
        return self.state / "localloop" / "clusters" / self.name

    def env(self) -> dict[str, str]:
        """The environment of runs on this cluster: all variables that matter are set or absent."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DEPLOY_", "LOCALLOOP_", "ANSIBLE_", "HELM_", "KUBE", "PYTEST"))
        }
        kept.pop("CI", None)
        return {**kept, "CLUSTER_NAME": self.name, "XDG_STATE_HOME": str(self.state)}

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return output(["kubectl", "--kubeconfig", str(self.kubeconfig), *words], stdin=stdin)

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def items(self, *words: str) -> list[dict[str, Any]]:
        return self.get(*words)["items"]

    def helm(self, *words: str) -> str:
        return output(["helm", "--kubeconfig", str(self.kubeconfig), *words])

    def registry_url(self) -> str:
        # 5000/tcp of the container, as Docker publishes it.
        return f"http://{docker('port', self.registry_container, '5000/tcp').splitlines()[0]}"

    def registry(
        self, method: str, path: str, *, accept: str = f"{MANIFEST}, {MANIFEST_V2}"
    ) -> tuple[int, dict[str, str], bytes]:
        """One request to the registry: status, headers, body."""
        request = urllib.request.Request(
            f"{self.registry_url()}/v2/{path}", method=method, headers={"Accept": accept}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                headers = {key.lower(): value for key, value in answer.headers.items()}
                return answer.status, headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {}, error.read()

    def uid(self) -> str:
        return self.get("namespace", "kube-system")["metadata"]["uid"]

    def objects_of_docker(self) -> list[str]:
        """Its nodes, and the containers, volumes and networks that carry localloop's label."""
        label = f"label={LABEL}={self.name}"
        found = self.nodes + docker("ps", "-aq", "--filter", label).split()
        found += docker("volume", "ls", "-q", "--filter", label).split()
        return found + docker("network", "ls", "-q", "--filter", label).split()

    def node_volumes(self) -> list[str]:
        """The anonymous volumes in which the nodes keep their state."""
        if not (nodes := self.nodes):
            return []
        template = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
        return docker("inspect", "-f", template, *nodes).split()

    def remove_nodes(self) -> None:
        """Remove its nodes behind localloop's back, as ``kind delete cluster`` does."""
        if nodes := self.nodes:
            docker("rm", "-fv", *nodes)

    def remove(self) -> None:
        """Remove it with Docker only; for what an aborted session left behind."""
        self.remove_nodes()
        label = f"label={LABEL}={self.name}"
        if containers := docker("ps", "-aq", "--filter", label).split():
            docker("rm", "-fv", *containers)
        if volumes := docker("volume", "ls", "-q", "--filter", label).split():
            docker("volume", "rm", "-f", *volumes)
        if networks := docker("network", "ls", "-q", "--filter", label).split():
            docker("network", "rm", *networks)
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass(frozen=True)
class Seen:
    """The contents of a project's namespace and repository at one moment."""

    page: str
    revisions: tuple[tuple[int, str], ...]
    pods: dict[str, str]
    image: str
    replicas: int
    tags: frozenset[str]

    @property
    def revision(self) -> int:
        return self.revisions[-1][0] if self.revisions else 0

    @property
    def fp_tags(self) -> frozenset[str]:
        return frozenset(tag for tag in self.tags if tag.startswith("fp-"))

    @property
    def builds(self) -> frozenset[str]:
        """The builds that were pushed, by the ids of their transactions."""
        return frozenset(tag for tag in self.tags if not tag.startswith(("d-", "0.0.0-d-", "fp-")))


class Outside:
    """One project's release ``hello`` and repository ``PROJECT/web`` from outside."""

    release = "hello"

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.name, *words, stdin=stdin)

    def get_raw(self, path: str) -> str:
        """A GET in the project's namespace through the API server's proxy; empty if it fails."""
        argv = ["kubectl", "--kubeconfig", str(self.cluster.kubeconfig), "get", "--raw"]
        done = subprocess.run(
            [*argv, f"/api/v1/namespaces/{self.name}/{path}"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""

    @contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[str]:
        """A ``kubectl port-forward`` to a pod's port; its address on this machine."""
        argv = ["kubectl", "--kubeconfig", str(self.cluster.kubeconfig), "-n", self.name]
        process = subprocess.Popen(
            [*argv, "port-forward", target, f":{port}"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[2]  # Forwarding from ADDRESS -> PORT
        finally:
            process.terminate()
            process.wait(10)

    def page(self) -> str:
        """The page that the cluster serves through its Service.

        It is never empty; the API server's proxy returns nothing if the connection ends too early.
        """
        path = f"services/{self.release}:http/proxy/"
        return next(filter(None, (self.get_raw(path) for _ in range(5))), "")

    def history(self) -> list[dict[str, Any]]:
        """``helm history``; empty if there is no release."""
        argv = ["helm", "--kubeconfig", str(self.cluster.kubeconfig), "-n", self.name]
        done = subprocess.run(
            [*argv, "history", self.release, "-o", "json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            assert "release: not found" in done.stderr, done.stderr
            return []
        return json.loads(done.stdout)

    def all_pods(self) -> list[dict[str, Any]]:
        """All pods, including those that are being deleted."""
        return self.cluster.items("-n", self.name, "pods", "-l", "app=hello")

    def pods(self) -> list[dict[str, Any]]:
        """The pods that are not being deleted."""
        return [pod for pod in self.all_pods() if "deletionTimestamp" not in pod["metadata"]]

    def uids(self) -> set[str]:
        """The uids of all pods, including those that are being deleted."""
        return {pod["metadata"]["uid"] for pod in self.all_pods()}

    def tags(self, component: str = "web") -> frozenset[str]:
        status, _, body = self.cluster.registry("GET", f"{self.name}/{component}/tags/list")
        return frozenset(json.loads(body).get("tags") or []) if status == 200 else frozenset()

    def digest_of(self, tag: str, component: str = "web") -> str:
        path = f"{self.name}/{component}/manifests/{tag}"
        status, headers, _ = self.cluster.registry("HEAD", path)
        return headers["docker-content-digest"] if status == 200 else ""

    def deployment(self) -> dict[str, Any]:
        return self.cluster.get("-n", self.name, "deployment", "hello")

    def record(self) -> dict[str, Any]:
        """The project's record in the cluster, decoded; empty if there is none."""
        secrets = self.cluster.items("-n", "localloop", "secrets")
        for secret in secrets:
            if secret["metadata"]["name"] == self.name:
                return json.loads(base64.b64decode(secret["data"]["record"]))
        return {}

    def see(self) -> Seen:
        deployments = self.cluster.items("-n", self.name, "deployments")
        spec = deployments[0]["spec"] if deployments else {}
        containers = spec["template"]["spec"]["containers"] if spec else [{"image": ""}]
        return Seen(
            page=self.page(),
            revisions=tuple((entry["revision"], entry["status"]) for entry in self.history()),
            pods={
                pod["metadata"]["uid"]: (pod["status"].get("containerStatuses") or [{}])[0].get(
                    "imageID", ""
                )
                for pod in self.pods()
            },
            image=containers[0]["image"],
            replicas=spec.get("replicas", 0),
            tags=self.tags(),
        )
