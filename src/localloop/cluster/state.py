"""The cluster and its registry in Docker: names, verdicts, kubeconfig.

Pure functions decide from what Docker reports what has to be done; the roles ``cluster`` and
``registry`` do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..config.model import API_PORT, ClusterConfig
from ..errors import UsageError
from ..system.docker import Docker
from ..system.paths import cluster_dir
from . import owner
from .containers import Listed, NodeContainer, NodesVerdict, judge_nodes, list_nodes
from .ports import port_is_free
from .registry_state import (
    NETWORK,
    RegistryState,
    RegistryVerdict,
    Seen,
    published_port,
    registry_container,
    registry_state,
)
from .route import OURS, Route

PROBE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class ClusterState:
    """What is to be done about the cluster, and why.

    ``ours`` says that localloop created the nodes; ``lacks`` what localloop.yml asks for and the
    running cluster does not have, without what was accepted; ``api`` is the API server's address on
    the host; ``image`` and ``kubernetes`` are what the cluster was created from, if that is known.

    ``adopted``: it was found by its context, and is somebody else's. Of such a cluster ``nodes``
    are those that are containers here, ``remote`` the names of the others, and ``platform`` is
    theirs (``linux/amd64``). ``route`` is how images reach the nodes.
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
    adopted: bool = False
    remote: tuple[str, ...] = ()
    platform: str = ""
    route: Route = OURS

    @property
    def pulling(self) -> tuple[NodeContainer, ...]:
        """The running nodes that pull from localloop's own registry."""
        running = (node for node in self.nodes if node.state == "running")
        return tuple(running) if self.route.network else ()


def control_plane(name: str) -> str:
    """The name of the node that every cluster has."""
    return f"{name}-control-plane"


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
        f" or remove it: `kind delete cluster --name {name}`."
        f" If localloop did create it, its notes in {cluster_dir(name)} are lost.",
    )


# --- Verdicts -----------------------------------------------------------------------------------


def cluster_state(
    name: str,
    listed: Sequence[Listed],
    registry: RegistryState,
    *,
    creation: owner.Creation | None = None,
    wanted: ClusterConfig | None = None,
) -> ClusterState:
    """The state of the nodes, as Docker lists them, and of the registry.

    ``creation`` is what is noted of the cluster, ``wanted`` what the configuration asks for.
    """
    nodes = judge_nodes(listed, creation)
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
        registry_verdict=registry.verdict,
        registry_reason=registry.reason,
        registry_ours=registry.ours,
        registry_port=registry.port,
    )


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


# --- What is asked of Docker ----------------------------------------------------------------------


def inspect_cluster(
    docker: Docker,
    name: str,
    *,
    wanted: ClusterConfig | None = None,
    registry_port: int | None = None,
) -> ClusterState:
    """Two requests to Docker and one to the registry, if it runs."""
    return cluster_state(
        name,
        list_nodes(docker, name),
        inspect_registry(docker, name, registry_port=registry_port),
        creation=owner.noted(name),
        wanted=wanted,
    )


def inspect_registry(
    docker: Docker, name: str, *, registry_port: int | None = None, network: str = NETWORK
) -> RegistryState:
    """What this host sees of the registry. One request to Docker and one to it, if it runs."""
    return registry_state(
        name, see_registry(docker, name), wanted_port=registry_port, network=network
    )


def see_registry(docker: Docker, name: str) -> Seen:
    """One request to Docker, and one to the registry if it runs."""
    from http.client import HTTPConnection, HTTPException

    found = docker.inspect_container(registry_container(name))
    port = published_port(found) if found else None
    if found is None or port is None:
        return Seen(container=found)
    if not found["State"].get("Running"):
        return Seen(container=found, port_free=port_is_free(port))
    connection = HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/v2/")
        return Seen(container=found, answers=connection.getresponse().status == 200)
    except (OSError, HTTPException):
        return Seen(container=found, answers=False)
    finally:
        connection.close()
