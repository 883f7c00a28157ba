"""Wait until a cluster that was created or started serves: API server, nodes, service names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..errors import LocalloopError
from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.kubeconfig import load_kubeconfig
from .containers import NodeContainer
from .state import context_name, kubeconfig_path

_POLL_SECONDS = 0.2
_ANSWER_SECONDS = 2.0


def connect(name: str) -> Kube:
    """The API server of a cluster of ours, by our kubeconfig."""
    return Kube(load_kubeconfig(kubeconfig_path(name), context_name(name)))


def serves(name: str) -> bool:
    """Whether the API server of a cluster of ours reports ready within two seconds."""
    try:
        return _serves(connect(name))
    except LocalloopError:
        return False


def wait_until_serving(kube: Kube, *, seconds: float) -> bool:
    """Wait up to ``seconds`` until the API server reports ready; returns whether it does."""
    deadline = time.monotonic() + seconds
    while not _serves(kube):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def wait_until_ready(
    kube: Kube,
    nodes: Sequence[str],
    *,
    since: float,
    restarted: Mapping[str, float],
    seconds: float,
    say: Callable[[str], None],
) -> None:
    """Wait until the nodes are Ready and CoreDNS is available.

    A node counts as Ready once its kubelet has renewed its lease after ``since`` (Unix time):
    before, its status may be what it was when it was stopped. So may that of its pods: on the nodes
    that were ``restarted`` (their names, and when) none may claim to be ready with a container of
    before, and no Service may have an address of before. Raises ``LocalloopError``
    (``cluster_not_ready``) after ``seconds``, with what is missing.
    """
    deadline = time.monotonic() + seconds
    told = ""
    while missing := _missing(kube, nodes, since, restarted):
        if missing != told:
            say(f"waiting: {missing}")
            told = missing
        if time.monotonic() > deadline:
            raise LocalloopError(
                "cluster_not_ready",
                f"the cluster was not ready within {seconds:g} s: {missing}",
                hint="Look at its node: `docker logs` and `docker exec … journalctl -u kubelet`;"
                " `localloop bootstrap --recreate --force` replaces the cluster"
                " (everything in it is lost).",
            )
        time.sleep(_POLL_SECONDS)


def version(kube: Kube) -> str:
    """The server's version, without its ``v``: ``1.37.2``."""
    return str((kube.get("/version") or {}).get("gitVersion", "")).removeprefix("v")


def _serves(kube: Kube) -> bool:
    try:
        return kube.ready(timeout=_ANSWER_SECONDS)
    except LocalloopError:
        return False


def restarts(nodes: Iterable[NodeContainer]) -> dict[str, float]:
    """The nodes that Docker started within the last minute, and when (Unix time, not too late)."""
    return {node.name: time.time() - node.age - 1 for node in nodes if node.age is not None}


def is_starting(kube: Kube, restarted: Mapping[str, float]) -> bool:
    """Whether the API server still shows what was on these nodes before they were restarted."""
    try:
        return bool(_not_restarted(kube, restarted))
    except (ApiError, ApiUnreachable):
        return True


def _missing(kube: Kube, nodes: Sequence[str], since: float, restarted: Mapping[str, float]) -> str:
    """What the cluster still lacks, in words; empty if it is ready."""
    if not _serves(kube):
        return "the API server does not answer"
    try:
        found = {node["metadata"]["name"]: node for node in kube.list("v1", "Node", "")[0]}
        leases, _ = kube.list("coordination.k8s.io/v1", "Lease", "kube-node-lease")
        alive = {lease["metadata"]["name"] for lease in leases if _renewed(lease) >= since}
        late = [name for name in nodes if name not in alive or not _is_ready(found.get(name))]
        if late:
            return f"{', '.join(late)} not Ready"
        if restarted and (old := _not_restarted(kube, restarted)):
            return f"{', '.join(old[:3])}{' …' if len(old) > 3 else ''} not up to date"
        dns = kube.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns") or {}
    except (ApiError, ApiUnreachable) as error:
        return str(error.message)
    return "" if dns.get("status", {}).get("availableReplicas") else "CoreDNS is not available"


def _not_restarted(kube: Kube, restarted: Mapping[str, float]) -> list[str]:
    """What is still as it was before: pods on these nodes, and endpoints of Services."""
    found, _ = kube.list("v1", "Pod", "")
    there = [pod for pod in found if pod["spec"].get("nodeName") in restarted]
    pods = {_named(pod["metadata"]): pod for pod in there}
    old = [
        f"pod {name}"
        for name, pod in pods.items()
        if "deletionTimestamp" not in pod["metadata"]
        and any(
            container.get("ready") and _started(container) < int(restarted[pod["spec"]["nodeName"]])
            for container in pod.get("status", {}).get("containerStatuses") or ()
        )
    ]
    slices, _ = kube.list("discovery.k8s.io/v1", "EndpointSlice", "")
    old += [
        f"endpoints {_named(each['metadata'])}"
        for each in slices
        if any(_is_stale(endpoint, pods) for endpoint in each.get("endpoints") or ())
    ]
    return sorted(old)


def _named(metadata: dict[str, Any]) -> str:
    return f"{metadata['namespace']}/{metadata['name']}"


def _is_stale(endpoint: dict[str, Any], pods: dict[str, dict[str, Any]]) -> bool:
    """Whether a ready endpoint has an address that its pod no longer has."""
    target = endpoint.get("targetRef") or {}
    pod = pods.get(f"{target.get('namespace')}/{target.get('name')}")
    if pod is None or not (endpoint.get("conditions") or {}).get("ready"):
        return False
    has = {each.get("ip") for each in pod.get("status", {}).get("podIPs") or ()}
    return not has.intersection(endpoint.get("addresses") or ())


def _started(container: dict[str, Any]) -> float:
    running = container.get("state", {}).get("running") or {}
    text = str(running.get("startedAt") or "")
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _renewed(lease: dict[str, Any]) -> float:
    text = str(lease.get("spec", {}).get("renewTime", ""))
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _is_ready(node: dict[str, Any] | None) -> bool:
    conditions = (node or {}).get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
