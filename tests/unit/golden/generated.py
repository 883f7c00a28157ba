"""Random states: a ready world of some kind, with one condition of it broken, or none."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from localloop.kube.objects import Snapshot
from localloop.readiness.judge import judge
from localloop.readiness.pod_rule import Thresholds
from localloop.readiness.verdict import Verdict

from .compare import mistake
from .worlds import HASH, KINDS, REPOSITORY, Object, World, digest, make, set_condition

Break = tuple[str, Callable[[World], None], str, str, *tuple[str, ...]]
"""The condition, what breaks it, the resulting state and reason, and the suspects' reasons."""


@dataclass(frozen=True)
class Made:
    """One generated state, and the expected verdict."""

    kind: str
    clause: str
    world: World
    state: str
    reason: str
    suspects: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.clause}"

    def mistake(self) -> str:
        """How the verdict is wrong, or an empty string."""
        return mistake(self.verdict(), self.state, self.reason, self.suspects)

    def verdict(self) -> Verdict:
        world = self.world
        view = Snapshot(world.objects(), initial_restarts=world.baseline)
        thresholds = Thresholds(load_balancers=world.load_balancers)
        return judge(world.judged, view, expected=world.expected, thresholds=thresholds)


def generate(seed: int, count: int) -> Iterator[Made]:
    """Generate ``count`` states; one in four stays ready."""
    rng = random.Random(seed)
    for _ in range(count):
        kind = rng.choice(KINDS)
        world = make(kind, rng)
        if rng.random() < 0.25:
            yield Made(kind, "as it is", world, "ready", "")
            continue
        clause, act, state, reason, *suspects = rng.choice(_BREAKS[kind])
        act(world)
        yield Made(kind, clause, world, state, reason, tuple(suspects))


# -- what breaks ----------------------------------------------------------------------------------


def _fewer(*names: str) -> Callable[[World], None]:
    """Lower one count below what is wanted; 0 means leaving it out."""

    def act(world: World) -> None:
        left = world.rng.randrange(world.n)
        for name in names:
            world.status[name] = left
            if not left and world.rng.random() < 0.5:
                del world.status[name]

    return act


def _more(name: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.status[name] = world.n + world.rng.randint(1, 3)

    return act


def _condition(kind: str, status: str = "", **more: str) -> Callable[[World], None]:
    """Set a condition's status; without one: False, Unknown, or remove the condition."""

    def act(world: World) -> None:
        value = status or world.rng.choice(("False", "Unknown", ""))
        world.condition(kind, value, **more)
        if not value:
            conditions = world.status["conditions"]
            conditions[:] = [entry for entry in conditions if entry["type"] != kind]

    return act


def _delete(world: World) -> None:
    world.judged["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


def _not_observed(world: World) -> None:
    which = world.rng.choice(("behind", "zero", "missing", "text", "no status"))
    generation = world.judged["metadata"]["generation"]
    if which == "no status":
        world.judged["status"] = {}
    elif which == "missing":
        del world.status["observedGeneration"]
    else:
        seen = {"behind": generation - 1, "zero": 0, "text": "soon"}[which]
        world.status["observedGeneration"] = seen


def _set(**fields: object) -> Callable[[World], None]:
    return lambda world: world.spec.update(fields)


def _a_pod(change: Callable[[World, Object], None]) -> Callable[[World], None]:
    return lambda world: change(world, world.rng.choice(world.pods))


def _unready(world: World, pod: Object) -> None:
    if world.rng.random() < 0.5:
        set_condition(pod, "Ready", world.rng.choice(("False", "Unknown")))
    else:
        pod["status"]["phase"] = world.rng.choice(("Pending", "Unknown"))


def _gone(world: World, pod: Object) -> None:
    world.pods.remove(pod)


def _terminating(world: World, pod: Object) -> None:
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


def _older(world: World, pod: Object) -> None:
    if HASH in pod["metadata"]["labels"]:
        pod["metadata"]["labels"][HASH] = "old"
    else:
        pod["metadata"]["ownerReferences"][0]["uid"] = "another"


def _statuses(world: World, pod: Object) -> list[Object]:
    return [*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ())]


def _image(value: Callable[[World], str]) -> Callable[[World, Object], None]:
    def act(world: World, pod: Object) -> None:
        ours = [s for s in _statuses(world, pod) if REPOSITORY in s["imageID"]]
        world.rng.choice(ours)["imageID"] = value(world)

    return act


def _waits(reason: str) -> Callable[[World, Object], None]:
    def act(world: World, pod: Object) -> None:
        set_condition(pod, "Ready", "False")
        status = world.rng.choice(_statuses(world, pod))
        status["state"] = {"waiting": {"reason": reason, "message": "because"}}

    return act


def _restarts(world: World, pod: Object) -> None:
    set_condition(pod, "Ready", "False")
    status = world.rng.choice(_statuses(world, pod))
    status["restartCount"] += world.rng.randint(3, 9)
    status["state"] = {"running": {}}


def _unscheduled(world: World, pod: Object) -> None:
    set_condition(pod, "Ready", "False")
    set_condition(pod, "PodScheduled", "False", reason="Unschedulable")


def _template(world: World) -> None:
    containers = world.spec["template"]["spec"]["containers"]
    main = next(entry for entry in containers if entry["name"] == "main")
    wrong = digest(world.rng)
    main["image"] = world.rng.choice((f"{REPOSITORY}@{wrong}", f"{REPOSITORY}:d-{wrong[7:27]}"))


_SEEN: list[Break] = [
    ("deletionTimestamp", _delete, "progressing", "terminating"),
    ("observedGeneration", _not_observed, "progressing", "not_observed"),
]
_PATIENT = {
    "ErrImagePull": "image_pull_failed",
    "ImagePullBackOff": "image_pull_failed",
    "ImageInspectError": "image_pull_failed",
    "CreateContainerConfigError": "container_config_error",
    "CreateContainerError": "container_create_failed",
    "RunContainerError": "container_start_failed",
    "PostStartHookError": "hook_failed",
    "CrashLoopBackOff": "crash_loop",
}
_POD_RULE: list[Break] = [
    ("a pod not ready", _a_pod(_unready), "progressing", "not_ready"),
    *(
        (f"pod rule: {why}", _a_pod(_waits(why)), "progressing", "not_ready", reason)
        for why, reason in _PATIENT.items()
    ),
    ("pod rule: restarts", _a_pod(_restarts), "progressing", "not_ready", "crash_loop"),
    (
        "pod rule: unschedulable",
        _a_pod(_unscheduled),
        "progressing",
        "not_ready",
        "unschedulable",
    ),
    (
        "pod rule: InvalidImageName",
        _a_pod(_waits("InvalidImageName")),
        "failed",
        "invalid_image_name",
        "invalid_image_name",
    ),
    (
        "pod rule: never pull",
        _a_pod(_waits("ErrImageNeverPull")),
        "failed",
        "image_never_pull",
        "image_never_pull",
    ),
]
_IMAGES: list[Break] = [
    (
        "another digest runs",
        _a_pod(_image(lambda world: f"{REPOSITORY}@{digest(world.rng)}")),
        "progressing",
        "wrong_image",
        "wrong_image",
    ),
    ("no image id", _a_pod(_image(lambda world: "")), "progressing", "image_unknown"),
]
_PODS: list[Break] = [
    *_SEEN,
    *_POD_RULE,
    *_IMAGES,
    ("a pod missing", _a_pod(_gone), "progressing", "not_ready"),
    ("a pod terminating", _a_pod(_terminating), "progressing", "not_ready"),
    ("a pod of another revision", _a_pod(_older), "progressing", "not_ready"),
    ("the template's image", _template, "progressing", "wrong_image", "wrong_image"),
]


def _old_pods(world: World) -> None:
    world.status["replicas"] = world.n + world.rng.randint(1, 3)


def _progress(reason: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.spec["progressDeadlineSeconds"] = 60
        world.condition("Progressing", "True", reason=reason)

    return act


def _on_delete(world: World) -> None:
    world.spec["updateStrategy"] = {"type": "OnDelete"}
    if world.judged["kind"] == "StatefulSet":
        _a_pod(_older)(world)
    else:
        _fewer("updatedNumberScheduled")(world)


def _partition(world: World) -> None:
    """Fewer updated pods than the partition requires."""
    partition = world.rng.randrange(world.n)
    world.spec["updateStrategy"]["rollingUpdate"]["partition"] = partition
    world.status["currentRevision"] = "db-8"
    world.status["updatedReplicas"] = world.rng.randrange(world.n - partition)


def _available(world: World) -> None:
    world.spec["minReadySeconds"] = 5
    world.status["availableReplicas"] = world.rng.randrange(world.n)


def _job_runs(world: World) -> None:
    world.status.clear()
    world.status["active"] = 1


def _job_fails(world: World) -> None:
    world.status.clear()
    world.condition("Failed", "True", reason="BackoffLimitExceeded")


def _job_suspended(world: World) -> None:
    world.status.clear()
    world.spec["suspend"] = True


def _pod_ended(world: World) -> None:
    world.spec.pop("restartPolicy", None)
    world.status["phase"] = "Succeeded"


def _pod_runs(change: Callable[[World], None]) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.status["phase"] = "Running"
        change(world)

    return act


def _phase(phase: str) -> Callable[[World], None]:
    return lambda world: world.status.update(phase=phase)


def _no_endpoints(world: World) -> None:
    metadata = {**world.judged["metadata"], "name": "backend", "uid": "backend"}
    template = {"metadata": {"labels": dict(world.spec["selector"])}}
    backend = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    world.others.append({**backend, "spec": {"template": template}})
    endpoints = next(obj for obj in world.others if obj["kind"] == "Endpoints")
    if world.rng.random() < 0.3:
        world.others.remove(endpoints)
    else:
        endpoints["subsets"] = world.rng.choice(([], [{"notReadyAddresses": [{"ip": "10.1.0.1"}]}]))


def _no_ingress(world: World) -> None:
    world.spec["type"] = "LoadBalancer"
    world.load_balancers = True


def _no_cluster_ip(world: World) -> None:
    del world.spec["clusterIP"]


def _unbound(world: World) -> None:
    world.status["phase"] = "Pending"


def _behind(world: World) -> None:
    world.judged["metadata"]["generation"] += 1
    world.status["observedGeneration"] = world.judged["metadata"]["generation"] - 1


_BREAKS: dict[str, list[Break]] = {
    "Deployment": [
        *_PODS,
        ("updatedReplicas", _fewer("updatedReplicas"), "progressing", "not_updated"),
        ("old pods", _old_pods, "progressing", "old_pods"),
        ("readyReplicas", _fewer("readyReplicas"), "progressing", "not_ready"),
        ("availableReplicas", _fewer("availableReplicas"), "progressing", "not_available"),
        ("Available", _condition("Available"), "progressing", "not_available"),
        ("Progressing", _progress("ReplicaSetUpdated"), "progressing", "not_progressed"),
        ("deadline", _progress("ProgressDeadlineExceeded"), "failed", "progress_deadline"),
        (
            "ReplicaFailure",
            _condition("ReplicaFailure", "True", message="quota"),
            "progressing",
            "replica_failure",
            "replica_failure",
        ),
        ("paused", _set(paused=True), "failed", "paused"),
    ],
    "StatefulSet": [
        *_PODS,
        ("updatedReplicas", _fewer("updatedReplicas"), "progressing", "not_updated"),
        ("partition", _partition, "progressing", "not_updated"),
        ("readyReplicas", _fewer("readyReplicas"), "progressing", "not_ready"),
        ("too many", _more("replicas"), "progressing", "wrong_count"),
        ("too few", _fewer("replicas"), "progressing", "wrong_count"),
        ("availableReplicas", _available, "progressing", "not_available"),
        (
            "currentRevision",
            lambda world: world.status.update(currentRevision="db-8"),
            "progressing",
            "not_updated",
        ),
        ("OnDelete", _on_delete, "progressing", "on_delete"),
    ],
    "DaemonSet": [
        *_PODS,
        (
            "desiredNumberScheduled",
            lambda world: world.status.pop("desiredNumberScheduled"),
            "progressing",
            "not_observed",
        ),
        ("updated", _fewer("updatedNumberScheduled"), "progressing", "not_updated"),
        ("a node more", _more("desiredNumberScheduled"), "progressing", "not_updated"),
        ("numberReady", _fewer("numberReady"), "progressing", "not_ready"),
        ("numberAvailable", _fewer("numberAvailable"), "progressing", "not_available"),
        ("OnDelete", _on_delete, "progressing", "on_delete"),
    ],
    "ReplicaSet": [
        *_PODS,
        ("too many", _more("replicas"), "progressing", "wrong_count"),
        ("too few", _fewer("replicas"), "progressing", "wrong_count"),
        ("availableReplicas", _fewer("availableReplicas"), "progressing", "not_ready"),
    ],
    "Pod": [
        ("deletionTimestamp", _delete, "progressing", "terminating"),
        *((name, _pod_runs(act), *rest) for name, act, *rest in _POD_RULE),
        *((name, _pod_runs(act), *rest) for name, act, *rest in _IMAGES),
        ("ended", _pod_ended, "progressing", "pod_ended"),
        ("failed", _phase("Failed"), "failed", "pod_failed"),
    ],
    "Job": [
        ("deletionTimestamp", _delete, "progressing", "terminating"),
        ("running", _job_runs, "progressing", "job_running"),
        ("failed", _job_fails, "failed", "job_failed"),
        ("suspended", _job_suspended, "progressing", "suspended"),
        ("Complete", _condition("Complete"), "progressing", "job_running"),
    ],
    "CronJob": [("deletionTimestamp", _delete, "progressing", "terminating")],
    "PersistentVolumeClaim": [
        ("deletionTimestamp", _delete, "progressing", "terminating"),
        ("unbound", _unbound, "progressing", "not_bound"),
        ("lost", _phase("Lost"), "failed", "claim_lost"),
    ],
    "CustomResourceDefinition": [
        ("deletionTimestamp", _delete, "progressing", "terminating"),
        ("Established", _condition("Established"), "progressing", "not_established"),
        ("names", _condition("NamesAccepted", "False"), "failed", "names_not_accepted"),
    ],
    "Service": [
        ("deletionTimestamp", _delete, "progressing", "terminating"),
        ("clusterIP", _no_cluster_ip, "progressing", "no_cluster_ip"),
        ("endpoints", _no_endpoints, "progressing", "no_endpoints"),
        ("ingress", _no_ingress, "progressing", "no_ingress"),
    ],
    "Widget": [
        ("deletionTimestamp", _delete, "progressing", "terminating"),
        ("observedGeneration", _behind, "progressing", "not_observed"),
        ("Ready", _condition("Ready", "False"), "progressing", "not_ready"),
        ("Reconciling", _condition("Reconciling", "True"), "progressing", "reconciling"),
        ("Stalled", _condition("Stalled", "True"), "failed", "stalled"),
    ],
}
