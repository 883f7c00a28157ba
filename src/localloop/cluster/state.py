"""The bundled cluster in Docker: names, verdict, kubeconfig.

Two pure functions decide from the output of Docker's inspect what to do about it; the roles
``cluster`` and ``registry`` do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import LocalloopError
from ..system.docker import Docker
from ..system.paths import cluster_dir, write_private
from .ports import port_is_free

LABEL_CLUSTER = "localloop.cluster"
LABEL_PLATFORM = "localloop.platform"
API_PORT = "6443/tcp"
REGISTRY_PORT = "5000/tcp"
NODE_KUBECONFIG = "/var/lib/localloop/kubeconfig"
# Created last when the node's registry is set up; links to containerd's mirror for its address.
NODE_REGISTRY_LINK = "/var/lib/localloop/registry"
PROBE_SECONDS = 2.0

NodeVerdict = Literal["ok", "create", "start", "restart"]
RegistryVerdict = Literal["ok", "create", "start", "recreate"]
Inspected = Mapping[str, Any]

# States of a container that `docker start` does not end.
_NODE_STUCK = {
    "paused": "cluster_paused",
    "dead": "cluster_dead",
    "restarting": "cluster_restarting",
}
_REGISTRY_STUCK = {
    "paused": "registry_paused",
    "dead": "registry_dead",
    "restarting": "registry_restarting",
}


@dataclass(frozen=True, kw_only=True)
class RegistryState:
    """What is to be done about the registry, and why.

    ``port`` is the host's, published on 127.0.0.1 alone; ``held`` is the one that a running
    container occupies in whatever way.
    """

    verdict: RegistryVerdict
    reason: str = ""
    ours: bool = False
    held: int | None = None
    container_id: str = ""
    port: int | None = None


@dataclass(frozen=True, kw_only=True)
class ClusterState:
    """What is to be done about the cluster, and why.

    ``ours`` says that the node container carries our label; ``starting`` that it has not been
    healthy yet, so that the API may not answer for some seconds; ``api`` is the address published
    on the host.
    """

    name: str
    verdict: NodeVerdict
    reason: str = ""
    ours: bool = False
    starting: bool = False
    container_id: str = ""
    image: str = ""
    api: str = ""
    platform: str = ""
    registry_verdict: RegistryVerdict = "create"
    registry_reason: str = ""
    registry_ours: bool = False
    registry_port: int | None = None


def node_container(name: str) -> str:
    """The name of the cluster's node container."""
    return f"localloop-{name}"


def registry_container(name: str) -> str:
    """The name of the cluster's registry container."""
    return f"localloop-{name}-registry"


def network(name: str) -> str:
    """The name of the cluster's Docker network."""
    return f"localloop-{name}"


def context_name(name: str) -> str:
    """The kubeconfig's context, cluster and user."""
    return f"localloop-{name}"


def kubeconfig_path(name: str) -> Path:
    """Where the cluster's kubeconfig is kept on this machine."""
    return cluster_dir(name) / "kubeconfig"


# --- Verdicts -----------------------------------------------------------------------------------


def cluster_state(
    name: str,
    node: Inspected | None,
    registry: Inspected | None,
    *,
    registry_answers: bool = True,
    wanted_registry_port: int | None = None,
) -> ClusterState:
    """The state of both containers, from the output of Docker's inspect (None: missing)."""
    found = registry_state(
        name, registry, answers=registry_answers, wanted_port=wanted_registry_port
    )
    parts: dict[str, Any] = {
        "registry_verdict": found.verdict,
        "registry_reason": found.reason,
        "registry_ours": found.ours,
        "registry_port": found.port,
    }
    if node is None:
        return ClusterState(name=name, verdict="create", reason="cluster_missing", **parts)
    status = _node_status(node["State"])
    port = _published(node, API_PORT)
    labels = _labels(node)
    return ClusterState(
        name=name,
        ours=labels.get(LABEL_CLUSTER) == name,
        starting=status["verdict"] == "ok" and _health(node["State"]) == "starting",
        container_id=node["Id"],
        image=node["Config"].get("Image", ""),
        api=f"https://127.0.0.1:{port}" if port else "",
        platform=labels.get(LABEL_PLATFORM, ""),
        **status,
        **parts,
    )


def _node_status(state: Inspected) -> dict[str, Any]:
    """The node's verdict and reason, from the state of its container."""
    status = state.get("Status", "")
    if status in _NODE_STUCK:
        return {"verdict": "restart", "reason": _NODE_STUCK[status]}
    if status == "created":  # most likely its port was taken in between: another one may be free
        return {"verdict": "create", "reason": "cluster_never_started"}
    if not state.get("Running"):
        return {"verdict": "start", "reason": "cluster_stopped"}
    if _health(state) == "unhealthy":
        return {"verdict": "restart", "reason": "cluster_unhealthy"}
    return {"verdict": "ok", "reason": ""}


def registry_state(
    name: str, found: Inspected | None, *, answers: bool = True, wanted_port: int | None = None
) -> RegistryState:
    """The registry's state; ``answers`` says whether it answered on /v2/ (if it was asked)."""
    if found is None:
        return RegistryState(verdict="create", reason="registry_missing")
    state = found["State"]
    port = _published(found, REGISTRY_PORT)
    verdict: RegistryVerdict = "ok"
    reason = ""
    if port is None or (wanted_port and port != wanted_port):
        verdict, reason = "recreate", "registry_wrong_port"
    elif _is_proxy(found):
        verdict, reason = "recreate", "registry_proxy_mode"
    elif network(name) not in found["NetworkSettings"]["Networks"]:
        verdict, reason = "recreate", "registry_wrong_network"
    elif state.get("Status") in _REGISTRY_STUCK:
        verdict, reason = "recreate", _REGISTRY_STUCK[state["Status"]]
    elif not state.get("Running"):
        verdict, reason = "start", "registry_stopped"
    elif not answers:
        verdict, reason = "recreate", "registry_not_answering"
    return RegistryState(
        verdict=verdict,
        reason=reason,
        ours=_labels(found).get(LABEL_CLUSTER) == name,
        held=_held(found) if state.get("Running") else None,
        container_id=found["Id"],
        port=port,
    )


def _labels(found: Inspected) -> Mapping[str, str]:
    return found["Config"].get("Labels") or {}


def _health(state: Inspected) -> str:
    return str((state.get("Health") or {}).get("Status", ""))


def _published(found: Inspected, port: str) -> int | None:
    """The host's port, if the container's is published on 127.0.0.1 and nowhere else."""
    bindings = (found["HostConfig"].get("PortBindings") or {}).get(port) or []
    if len(bindings) != 1 or bindings[0].get("HostIp") != "127.0.0.1":
        return None
    number = bindings[0].get("HostPort", "")
    return int(number) if number.isdigit() else None


def _held(found: Inspected) -> int | None:
    bindings = (found["HostConfig"].get("PortBindings") or {}).get(REGISTRY_PORT) or []
    numbers = [binding.get("HostPort", "") for binding in bindings]
    return next((int(number) for number in numbers if number.isdigit()), None)


def _is_proxy(found: Inspected) -> bool:
    prefix = "REGISTRY_PROXY_REMOTEURL="
    return any(
        item.startswith(prefix) and item != prefix for item in found["Config"].get("Env") or ()
    )


# --- What is asked of Docker ----------------------------------------------------------------------


def inspect_cluster(docker: Docker, name: str, *, registry_port: int | None = None) -> ClusterState:
    """Two requests to Docker and one to the registry, if it runs."""
    registry = docker.inspect_container(registry_container(name))
    state = cluster_state(
        name,
        docker.inspect_container(node_container(name)),
        registry,
        registry_answers=_answers(registry),
        wanted_registry_port=registry_port,
    )
    if _is_taken(state.registry_verdict, state.registry_port):
        return replace(state, registry_verdict="recreate", registry_reason="registry_port_taken")
    return state


def inspect_registry(
    docker: Docker, name: str, *, registry_port: int | None = None
) -> RegistryState:
    """One request to Docker and one to the registry, if it runs."""
    found = docker.inspect_container(registry_container(name))
    state = registry_state(name, found, answers=_answers(found), wanted_port=registry_port)
    if _is_taken(state.verdict, state.port):
        return replace(state, verdict="recreate", reason="registry_port_taken")
    return state


def _is_taken(verdict: RegistryVerdict, port: int | None) -> bool:
    """Whether something else took a stopped registry's port, so that it has to be recreated."""
    return verdict == "start" and port is not None and not port_is_free(port)


def is_wired(docker: Docker, name: str, port: int) -> bool:
    """Whether the node knows the registry by its host's address (and the cluster's users do)."""
    found = docker.stat_path(node_container(name), NODE_REGISTRY_LINK)
    return found is not None and str(found.get("linkTarget", "")).endswith(f"/127.0.0.1:{port}")


def _answers(found: Inspected | None) -> bool:
    """Whether a running registry answers; True if none is running."""
    from http.client import HTTPConnection, HTTPException

    port = _published(found, REGISTRY_PORT) if found else None
    if found is None or port is None or not found["State"].get("Running"):
        return True
    connection = HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def ensure_kubeconfig(docker: Docker, name: str, *, check: bool = False) -> bool:
    """Make the kubeconfig equal to the node's; returns whether it had to be written.

    It is derived data, and restored if it is deleted or damaged.
    """
    content = docker.engine.read_file(node_container(name), NODE_KUBECONFIG)
    if content is None:
        raise LocalloopError(
            "kubeconfig_missing",
            f"container {node_container(name)} has no kubeconfig at {NODE_KUBECONFIG}",
            hint=f"See `docker logs {node_container(name)}`,"
            " then recreate the cluster: `localloop bootstrap --recreate --force`.",
        )
    path = kubeconfig_path(name)
    try:
        if path.read_bytes() == content and path.stat().st_mode & 0o777 == 0o600:
            return False
    except OSError:
        pass
    if not check:
        write_private(path, content)
    return True
