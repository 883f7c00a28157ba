"""Random ready objects of each kind: counts, containers, images, versions, unrelated objects."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
REPOSITORY = "127.0.0.1:5000/app/web"
REVISION = "deployment.kubernetes.io/revision"
HASH = "controller-revision-hash"


@dataclass
class World:
    """A ready object, its pods and other objects; ``n`` is how many pods it wants."""

    rng: random.Random
    judged: Object
    n: int = 0
    pods: list[Object] = field(default_factory=list)
    others: list[Object] = field(default_factory=list)
    expected: dict[str, frozenset[str]] = field(default_factory=dict)
    baseline: dict[tuple[str, str], int] = field(default_factory=dict)
    load_balancers: bool = False

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.judged["status"]
        return found

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.judged["spec"]
        return found

    def objects(self) -> tuple[Object, ...]:
        every = [self.judged, *self.others]
        every += [pod for pod in self.pods if pod is not self.judged]
        self.rng.shuffle(every)
        return tuple(every)

    def condition(self, kind: str, status: str, **more: Any) -> None:
        """Set one of the judged object's conditions."""
        set_condition(self.judged, kind, status, **more)

    def uid(self) -> str:
        return f"{self.rng.getrandbits(64):016x}"


def set_condition(obj: Object, kind: str, status: str, **more: Any) -> None:
    conditions = obj["status"].setdefault("conditions", [])
    conditions[:] = [entry for entry in conditions if entry["type"] != kind]
    conditions.append({"type": kind, "status": status, **more})


def digest(rng: random.Random) -> str:
    return f"sha256:{rng.getrandbits(256):064x}"


def make(kind: str, rng: random.Random) -> World:
    """A ready world around an object of that kind."""
    return _MAKERS[kind](rng)


def _object(rng: random.Random, api_version: str, kind: str, **fields: Any) -> Object:
    metadata = {"name": kind.lower(), "namespace": "app", "uid": f"{rng.getrandbits(64):016x}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


# -- pods -----------------------------------------------------------------------------------------


def _pod_spec(rng: random.Random, image: str) -> Object:
    containers: list[Object] = [
        {"name": "main", "image": image, "readinessProbe": {"tcpSocket": {"port": 1}}},
        *(
            {"name": f"side{number}", "image": f"example.org/side:{number}"}
            for number in range(rng.choice((0, 0, 1, 2)))
        ),
    ]
    rng.shuffle(containers)
    spec: Object = {"containers": containers}
    if rng.random() < 0.4:
        spec["initContainers"] = [{"name": "init", "image": image}]
        if rng.random() < 0.5:
            proxy = {"name": "proxy", "image": "example.org/proxy:1", "restartPolicy": "Always"}
            spec["initContainers"].append(proxy)
    return spec


def _image(rng: random.Random, world: World) -> str:
    found = digest(rng)
    world.expected = {REPOSITORY: frozenset({found, digest(rng)})}
    tag = found.removeprefix("sha256:")[:20]
    return rng.choice((f"{REPOSITORY}@{found}", f"{REPOSITORY}:d-{tag}", f"{REPOSITORY}:latest"))


def _pod(world: World, spec: Object, owner: Object, labels: dict[str, str]) -> Object:
    rng = world.rng
    pod = _object(rng, "v1", "Pod", spec=spec, status={"phase": "Running"})
    pod["metadata"].update(
        name=f"pod-{rng.getrandbits(40):010x}",
        labels=dict(labels),
        ownerReferences=[{"uid": owner["metadata"]["uid"], "controller": True}],
    )
    new = rng.random() < 0.5
    kinds = ["PodReadyToStartContainers"] if new else []
    for kind in [*kinds, "Initialized", "Ready", "ContainersReady", "PodScheduled"]:
        set_condition(pod, kind, "True")
    right = sorted(world.expected.get(REPOSITORY, {digest(rng)}))
    prefix = rng.choice(("", "docker-pullable://"))
    for section, statuses in (
        ("containers", "containerStatuses"),
        ("initContainers", "initContainerStatuses"),
    ):
        found = []
        for container in spec.get(section, ()):
            ended = section == "initContainers" and "restartPolicy" not in container
            ours = container["image"].startswith(REPOSITORY)
            restarts = rng.choice((0, 0, 0, 1, 7))
            world.baseline[pod["metadata"]["uid"], container["name"]] = restarts
            name = REPOSITORY if ours else "example.org/other"
            found.append(
                {
                    "name": container["name"],
                    "restartCount": restarts,
                    "imageID": f"{prefix}{name}@{rng.choice(right) if ours else digest(rng)}",
                    "state": {"terminated": {"exitCode": 0}} if ended else {"running": {}},
                }
            )
        if found:
            pod["status"][statuses] = found
    return pod


# -- kinds ----------------------------------------------------------------------------------------


def _workload(rng: random.Random, kind: str) -> World:
    generation = rng.randint(1, 40)
    judged = _object(rng, "apps/v1", kind, spec={}, status={})
    judged["metadata"]["generation"] = generation
    seen = generation + rng.choice((0, 0, 0, 1))
    judged["status"]["observedGeneration"] = str(seen) if rng.random() < 0.2 else seen
    world = World(rng, judged, n=rng.randint(1, 5))
    judged["spec"]["template"] = {"spec": _pod_spec(rng, _image(rng, world))}
    return world


def _pods_of(world: World, owner: Object, labels: dict[str, str]) -> None:
    template = world.spec["template"]["spec"]
    world.pods = [_pod(world, copy.deepcopy(template), owner, labels) for _ in range(world.n)]
    for _ in range(world.rng.choice((0, 0, 1, 2))):
        bystander = _pod(world, copy.deepcopy(template), owner, labels)
        set_condition(bystander, "Ready", "False")
        bystander["status"]["containerStatuses"][0]["state"] = {
            "waiting": {"reason": world.rng.choice(("InvalidImageName", "ErrImagePull"))}
        }
        if world.rng.random() < 0.5:
            bystander["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        else:
            bystander["status"]["phase"] = "Failed"
        world.others.append(bystander)


def _counts(world: World, *names: str) -> None:
    world.status.update(dict.fromkeys(names, world.n))


def _deployment(rng: random.Random) -> World:
    world = _workload(rng, "Deployment")
    revision = rng.randint(2, 90)
    world.judged["metadata"]["annotations"] = {REVISION: str(revision)}
    if world.n != 1 or rng.random() < 0.5:
        world.spec["replicas"] = world.n
    _counts(world, "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    world.condition("Available", "True")
    if rng.random() < 0.8:
        world.spec["progressDeadlineSeconds"] = rng.choice((60, 600))
        world.condition("Progressing", "True", reason="NewReplicaSetAvailable")
    sets = []
    for number in (revision, revision - 1):
        owned = _object(rng, "apps/v1", "ReplicaSet")
        owned["metadata"].update(
            name=f"web-{number}",
            annotations={REVISION: str(number)},
            ownerReferences=[{"uid": world.judged["metadata"]["uid"], "controller": True}],
        )
        sets.append(owned)
    world.others += sets
    _pods_of(world, sets[0], {})
    return world


def _statefulset(rng: random.Random) -> World:
    world = _workload(rng, "StatefulSet")
    world.spec["replicas"] = world.n
    world.spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    _counts(world, "replicas", "readyReplicas", "updatedReplicas", "currentReplicas")
    if rng.random() < 0.6:
        _counts(world, "availableReplicas")
        world.spec["minReadySeconds"] = rng.choice((0, 5))
    world.status.update(currentRevision="db-9", updateRevision="db-9")
    _pods_of(world, world.judged, {HASH: "db-9"})
    return world


def _daemonset(rng: random.Random) -> World:
    world = _workload(rng, "DaemonSet")
    names = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled")
    _counts(world, *names, "numberReady", "numberAvailable")
    for number, revision in ((4, "new"), (3, "old")):
        history = _object(rng, "apps/v1", "ControllerRevision", revision=number)
        history["metadata"].update(
            name=f"agent-{revision}",
            labels={HASH: revision},
            ownerReferences=[{"uid": world.judged["metadata"]["uid"], "controller": True}],
        )
        world.others.append(history)
    _pods_of(world, world.judged, {HASH: "new"})
    return world


def _replicaset(rng: random.Random) -> World:
    world = _workload(rng, "ReplicaSet")
    world.spec["replicas"] = world.n
    _counts(world, "replicas", "readyReplicas", "availableReplicas")
    _pods_of(world, world.judged, {})
    return world


def _pod_alone(rng: random.Random) -> World:
    world = World(rng, {}, n=1)
    owner = _object(rng, "v1", "Node")
    world.judged = _pod(world, _pod_spec(rng, _image(rng, world)), owner, {})
    for statuses in ("containerStatuses", "initContainerStatuses"):
        for status in world.status.get(statuses, ()):
            if status["imageID"].partition("@")[0].endswith(REPOSITORY):
                status["imageID"] = f"{REPOSITORY}@{min(world.expected[REPOSITORY])}"
    world.pods = [world.judged]
    if rng.random() < 0.3:
        world.spec["restartPolicy"] = rng.choice(("Never", "OnFailure"))
        world.status["phase"] = rng.choice(("Running", "Succeeded"))
    return world


def _job(rng: random.Random) -> World:
    judged = _object(rng, "batch/v1", "Job", spec={}, status={"succeeded": 1})
    world = World(rng, judged, n=1)
    if rng.random() < 0.5:
        world.condition("SuccessCriteriaMet", "True")
    world.condition("Complete", "True")
    pod = _pod(world, _pod_spec(rng, "example.org/job:1"), judged, {})
    pod["status"]["phase"] = "Succeeded"
    set_condition(pod, "Ready", "False")
    world.pods = [pod] if rng.random() < 0.8 else []
    return world


def _cronjob(rng: random.Random) -> World:
    version = rng.choice(("batch/v1", "batch/v1beta1"))
    spec = {"suspend": rng.random() < 0.5}
    return World(rng, _object(rng, version, "CronJob", spec=spec, status={}))


def _claim(rng: random.Random) -> World:
    spec = {"storageClassName": rng.choice(("local", "fast", ""))}
    judged = _object(rng, "v1", "PersistentVolumeClaim", spec=spec, status={"phase": "Bound"})
    world = World(rng, judged)
    for name, mode in (
        ("local", "Immediate"),
        ("fast", "Immediate"),
        ("lazy", "WaitForFirstConsumer"),
    ):
        found = _object(rng, "storage.k8s.io/v1", "StorageClass", volumeBindingMode=mode)
        found["metadata"].update(name=name, namespace="")
        world.others.append(found)
    return world


def _definition(rng: random.Random) -> World:
    kind = "CustomResourceDefinition"
    world = World(rng, _object(rng, "apiextensions.k8s.io/v1", kind, spec={}, status={}))
    world.condition("NamesAccepted", "True")
    world.condition("Established", "True")
    return world


def _service(rng: random.Random) -> World:
    spec: Object = {"clusterIP": rng.choice(("10.0.0.1", "None", "fd00::1"))}
    spec["selector"] = {"app": "web"}
    spec["type"] = rng.choice(("ClusterIP", "NodePort", "LoadBalancer"))
    world = World(rng, _object(rng, "v1", "Service", spec=spec, status={}))
    endpoints = _object(rng, "v1", "Endpoints")
    endpoints["metadata"]["name"] = world.judged["metadata"]["name"]
    addresses = [{"ip": f"10.1.0.{number}"} for number in range(1, rng.randint(2, 5))]
    endpoints["subsets"] = [{"addresses": addresses}]
    if rng.random() < 0.5:
        endpoints["subsets"].append({"notReadyAddresses": [{"ip": "10.1.0.99"}]})
    world.others.append(endpoints)
    for number in range(rng.randint(0, 2)):
        behind = _object(rng, "apps/v1", rng.choice(("Deployment", "StatefulSet")))
        behind["metadata"].update(name=f"behind-{number}", generation=1)
        labels = {"app": "web", "tier": rng.choice(("front", "back"))}
        behind["spec"] = {"replicas": 1, "template": {"metadata": {"labels": labels}}}
        behind["status"] = {"observedGeneration": 1}
        world.others.append(behind)
    return world


def _custom(rng: random.Random) -> World:
    judged = _object(rng, "example.org/v1", "Widget", status={})
    generation = judged["metadata"]["generation"] = rng.randint(1, 9)
    if generation == 1 and rng.random() < 0.5:
        pass  # a controller that reports no generation
    elif rng.random() < 0.5:
        judged["status"]["observedGeneration"] = rng.choice((generation, str(generation)))
    world = World(rng, judged)
    named = generation > 1 and "observedGeneration" not in judged["status"]
    world.condition("Ready", "True", **({"observedGeneration": generation} if named else {}))
    for kind in ("Stalled", "Reconciling"):
        if rng.random() < 0.6:
            world.condition(kind, rng.choice(("False", "Unknown")))
    return world


_MAKERS: dict[str, Callable[[random.Random], World]] = {
    "Deployment": _deployment,
    "StatefulSet": _statefulset,
    "DaemonSet": _daemonset,
    "ReplicaSet": _replicaset,
    "Pod": _pod_alone,
    "Job": _job,
    "CronJob": _cronjob,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
    "Service": _service,
    "Widget": _custom,
}
KINDS = tuple(_MAKERS)
