"""The cluster and its registry in Docker: names, verdicts, kubeconfig.

Pure functions decide from what Docker reports what has to be done; the roles ``cluster`` and
``registry`` do it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..config.model import CERTS, ClusterConfig
from ..errors import UsageError
from ..system.docker import Docker
from ..system.paths import cluster_dir
from . import owner
from .containers import API_PORT, Listed, NodeContainer, NodesVerdict, judge_nodes, list_nodes
from .ports import port_is_free

LABEL_CLUSTER = "localloop.cluster"
REGISTRY_PORT = "5000/tcp"
NETWORK = "kind"
PROBE_SECONDS = 2.0

RegistryVerdict = Literal["ok", "create", "start", "recreate"]
Inspected = Mapping[str, Any]

# States of a container that `docker start` does not end.
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

    ``ours`` says that localloop created the nodes; ``lacks`` what localloop.yml asks for and the
    running cluster does not have, without what was accepted; ``api`` is the API server's address on
    the host; ``image`` and ``kubernetes`` are what the cluster was created from, if that is known.
    """

    name: str
    verdict: NodesVerdict
    reason: str = ""
    ours: bool = False
    nodes: tuple[NodeContainer, ...] = ()
    lacks: tuple[str, ...] = ()
    api: str = ""
    image: str = ""
    kubernetes: str = ""
    published: tuple[str, ...] = field(default=())
    registry_verdict: RegistryVerdict = "create"
    registry_reason: str = ""
    registry_ours: bool = False
    registry_port: int | None = None


def control_plane(name: str) -> str:
    """The name of the node that every cluster has."""
    return f"{name}-control-plane"


def registry_container(name: str) -> str:
    """The name of the cluster's registry container."""
    return f"localloop-{name}-registry"


def context_name(name: str) -> str:
    """The kubeconfig's context, cluster and user, as kind names them."""
    return f"kind-{name}"


def kubeconfig_path(name: str) -> Path:
    """Where the cluster's kubeconfig is kept on this machine."""
    return cluster_dir(name) / "kubeconfig"


def not_ours(name: str) -> UsageError:
    """The refusal of a kind cluster of that name which localloop did not create."""
    return UsageError(
        "cluster_not_ours",
        f"a kind cluster {name} exists that localloop did not create",
        hint=f"To deploy to it, write `cluster: {{context: kind-{name}}}` in localloop.yml;"
        " or choose another name (`cluster.name`, CLUSTER_NAME);"
        f" or remove it: `kind delete cluster --name {name}`.",
    )


# --- Verdicts -----------------------------------------------------------------------------------


def cluster_state(
    name: str,
    listed: Sequence[Listed],
    registry: Inspected | None,
    *,
    creation: owner.Creation | None = None,
    wanted: ClusterConfig | None = None,
    registry_answers: bool = True,
    wanted_registry_port: int | None = None,
) -> ClusterState:
    """The state of the nodes, as Docker lists them, and of the registry (None: missing).

    ``creation`` is what is noted of the cluster, ``wanted`` what the configuration asks for.
    """
    nodes = judge_nodes(listed, creation)
    found = registry_state(
        name, registry, answers=registry_answers, wanted_port=wanted_registry_port
    )
    known = creation if nodes.ours and creation else owner.Creation(owner="")
    lacks: tuple[str, ...] = ()
    if wanted is not None and wanted.asks_for_something and nodes.verdict == "ok":
        from .requirement import lacking

        lacks = lacking(wanted, listed, known.kubernetes)
    return ClusterState(
        name=name,
        verdict=nodes.verdict,
        reason=nodes.reason,
        ours=nodes.ours,
        nodes=nodes.nodes,
        lacks=tuple(item for item in lacks if item not in known.accepted),
        api=nodes.api,
        image=known.image or next((node.image for node in nodes.nodes), ""),
        kubernetes=known.kubernetes,
        published=_published_ports(listed),
        registry_verdict=found.verdict,
        registry_reason=found.reason,
        registry_ours=found.ours,
        registry_port=found.port,
    )


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
    elif NETWORK not in found["NetworkSettings"]["Networks"]:
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


def _published_ports(listed: Sequence[Listed]) -> tuple[str, ...]:
    """The ports of the nodes that are published beside the API server's: ``127.0.0.1:80 ->
    30080``."""
    return tuple(
        sorted(
            f"{port.get('IP', '')}:{port['PublicPort']} -> {port['PrivatePort']}/{port['Type']}"
            for container in listed
            for port in container.get("Ports") or ()
            if port.get("PublicPort") and port["PrivatePort"] != API_PORT
        )
    )


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


def inspect_cluster(
    docker: Docker,
    name: str,
    *,
    wanted: ClusterConfig | None = None,
    registry_port: int | None = None,
) -> ClusterState:
    """Two requests to Docker and one to the registry, if it runs."""
    registry = docker.inspect_container(registry_container(name))
    state = cluster_state(
        name,
        list_nodes(docker, name),
        registry,
        creation=owner.noted(name),
        wanted=wanted,
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


def is_wired(docker: Docker, nodes: Sequence[str], port: int) -> bool:
    """Whether every node knows the registry by its host's address. One request for each node."""
    path = f"{CERTS}/127.0.0.1:{port}/hosts.toml"
    return bool(nodes) and all(docker.stat_path(node, path) for node in nodes)


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
