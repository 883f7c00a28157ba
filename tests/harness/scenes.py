"""Workloads that are ready, or not ready for one reason each; the gate judges them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from localloop.kube.client import Kube
from localloop.kube.kubeconfig import load_kubeconfig
from localloop.kube.objects import ObjectRef, ref_of
from localloop.readiness.result import GateResult
from localloop.readiness.wait import run_gate

from .outside import Cluster, eventually

Object = dict[str, Any]
LABEL = "localloop-test=scene"


@dataclass(frozen=True)
class Stage:
    """A namespace of one scene on a cluster."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *words, stdin=stdin)

    def apply(self, *objects: Object) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(items))

    def pods(self) -> list[Object]:
        return self.cluster.items("-n", self.namespace, "pods")

    def pod_waits(self, *reasons: str) -> bool:
        """Whether a pod's container waits for one of these reasons."""
        states = [
            status["state"]
            for pod in self.pods()
            for status in pod["status"].get("containerStatuses", ())
        ]
        return any(state.get("waiting", {}).get("reason") in reasons for state in states)


@dataclass(frozen=True)
class Scene:
    """What is gated: applied, or created by ``before``; ``during`` runs in parallel to the gate."""

    objects: tuple[Object, ...]
    before: Callable[[Stage], None] | None = None
    during: Callable[[Stage], None] | None = None
    gate: dict[str, Any] = field(default_factory=dict)


def play(cluster: Cluster, scenes: dict[str, Scene]) -> dict[str, GateResult]:
    """Apply all scenes, each in its own namespace, and run all gates at once."""
    namespaces = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": f"scene-{name}", "labels": dict([LABEL.split("=")])},
        }
        for name in scenes
    ]
    items = {"apiVersion": "v1", "kind": "List", "items": namespaces}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(items))
    with ThreadPoolExecutor(len(scenes)) as pool:
        found = {
            name: pool.submit(_play, Stage(cluster, f"scene-{name}"), scene)
            for name, scene in scenes.items()
        }
    return {name: future.result() for name, future in found.items()}


def _play(stage: Stage, scene: Scene) -> GateResult:
    if scene.before:
        scene.before(stage)
    else:
        stage.apply(*scene.objects)
    beside = threading.Thread(target=scene.during or (lambda _stage: None), args=(stage,))
    beside.start()
    try:
        return gate(stage, scene.objects, **scene.gate)
    finally:
        beside.join()


def gate(stage: Stage, objects: tuple[Object, ...], **options: Any) -> GateResult:
    """Run the gate over these objects, as after a change to all of them."""
    refs = refs_in(stage, objects)
    kube = Kube(load_kubeconfig(stage.cluster.kubeconfig, stage.cluster.context))
    try:
        return run_gate(kube, refs, **{"timeout": 100, "touched": refs, **options})
    finally:
        kube.close()


def refs_in(stage: Stage, objects: tuple[Object, ...]) -> list[ObjectRef]:
    found = []
    for obj in objects:
        metadata = {"namespace": stage.namespace, **obj["metadata"]}
        found.append(ref_of({**obj, "metadata": metadata}))
    return found


def clear(cluster: Cluster) -> None:
    """Delete all scenes, without waiting for their end."""
    cluster.kubectl("delete", "namespaces", "-l", LABEL, "--wait=false")


# -- objects --------------------------------------------------------------------------------------

HTTPD = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/site"]
PROBE = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}


def shell(script: str) -> list[str]:
    return ["/bin/busybox", "sh", "-c", script]


def workload(
    kind: str,
    image: str,
    command: list[str] | None = None,
    *,
    name: str = "web",
    spec: Object | None = None,
    pod: Object | None = None,
    **container: Any,
) -> Object:
    """A workload of one pod; keywords go into its container, ``spec`` and ``pod`` into those."""
    labels = {"app": name}
    main = {"name": "main", "image": image, "readinessProbe": PROBE, **container}
    if command is not None:
        main["command"] = command
    if main["readinessProbe"] is None:
        del main["readinessProbe"]
    pod_spec: Object = {"terminationGracePeriodSeconds": 1, "containers": [main], **(pod or {})}
    body: Object = {"template": {"metadata": {"labels": labels}, "spec": pod_spec}}
    if kind == "Job":
        pod_spec.setdefault("restartPolicy", "Never")
        del main["readinessProbe"]
    else:
        body["selector"] = {"matchLabels": labels}
    if kind == "StatefulSet":
        body["serviceName"] = name
    body |= spec or {}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": body}


def with_container(obj: Object, **fields: Any) -> Object:
    """The same workload with other fields of its first container."""
    copy: Object = json.loads(json.dumps(obj))
    copy["spec"]["template"]["spec"]["containers"][0] |= fields
    return copy


def once_ready(stage: Stage, *objects: Object) -> None:
    """Wait, with kubectl, until all pods of a workload are Ready."""
    for obj in objects:
        kind, name = obj["kind"].lower(), obj["metadata"]["name"]
        eventually(
            f"{kind} {name}",
            lambda kind=kind, name=name: stage.cluster.get("-n", stage.namespace, kind, name)[
                "status"
            ].get("readyReplicas"),
            within=90,
        )
