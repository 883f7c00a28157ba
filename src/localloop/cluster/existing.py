"""The provider ``existing``: a cluster that localloop did not create, by its kubeconfig context.

What it is follows from its API server and from the containers of this Docker, never from what its
context is called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from ..config.model import ClusterConfig, RegistryConfig
from ..errors import LocalloopError, UsageError
from ..kube.client import ApiError, ApiUnreachable, Kube
from ..kube.kubeconfig import KubeConfig, load_kubeconfig
from ..kube.objects import Object
from ..system.docker import Docker
from ..system.paths import cluster_dir, write_private
from .containers import (
    CONTROL_PLANE,
    Listed,
    NodeContainer,
    networks_of,
    node_container,
)
from .frozen import freeze, frozen_path
from .identity import require_allowed
from .node_match import Matched, match_nodes, platform_of, role_of
from .registry_state import RegistryState
from .route import ADVERTISED, NodePlace, Route, choose_route
from .shared_store import DOCKER_RUNTIME, Daemon, runtime_of, this_daemon, why_unlike
from .state import ClusterState, inspect_registry
from .user_kubeconfig import user_kubeconfigs

ANSWER_SECONDS = 8.0
_MACHINE_ID = "/etc/machine-id"
_A_CONTAINER = "it is a container here, with a store of its own"


class ExistingProvider:
    """The cluster of ``cluster.context``. It is never created, restarted, stopped or removed."""

    name = "existing"
    owns = False

    def __init__(
        self,
        config: ClusterConfig,
        registry: RegistryConfig,
        docker: Docker,
        environ: Mapping[str, str],
    ) -> None:
        self._config = config
        self._registry = registry
        self._docker = docker
        self._environ = environ
        self._frozen = frozen_path(Path(lock)) if (lock := environ.get("LOCALLOOP_LOCK")) else None
        self.context = str(config.context)

    @property
    def address(self) -> str:
        """The API server's address; two contexts of one server share it."""
        return self.server

    @property
    def server(self) -> str:
        """The URL in the kubeconfig."""
        return self._kube_config.server

    @property
    def kubeconfig(self) -> Path:
        """The run's frozen copy; outside a run the user's file that was asked for first."""
        if self._frozen is not None and self._frozen.exists():
            return self._frozen
        return self._paths[0]

    @property
    def _paths(self) -> list[Path]:
        if self._config.kubeconfig is not None:
            return [self._config.kubeconfig]
        return user_kubeconfigs(self._environ)

    @cached_property
    def _kube_config(self) -> KubeConfig:
        if self._frozen is not None and self._frozen.exists():
            return load_kubeconfig(self._frozen, self.context)
        config = load_kubeconfig(self._paths, self.context)
        require_allowed(config, self._config)
        return config

    @cached_property
    def _kube(self) -> Kube:
        return Kube(self._kube_config)

    def connect(self, found: ClusterState | None = None) -> Kube:
        """Its API server, by the kubeconfig as it was read first. Raises ``UsageError``."""
        return self._kube

    def fetch_kubeconfig(self, found: ClusterState) -> bool:
        """Never: the file is the user's."""
        return False

    def freeze(self, lock: Path) -> Path | None:
        """Write the context alone to a file (0600) that belongs to the holder of ``lock``."""
        self._frozen = freeze(self._kube_config, self._config, self._environ, lock)
        return self._frozen

    def why(self, found: ClusterState) -> str:
        """The context is configured."""
        return f"cluster.context is {self.context}"

    def find(self) -> ClusterState:
        """Two requests to the API server and one to Docker; more on first use.

        Raises ``UsageError``: ``cluster_unreachable``, ``cluster_nodes_unreadable``,
        ``cluster_platforms``, and what there is against its images' route.
        """
        nodes = self._nodes()
        platform = _platform(nodes)
        listed = self._docker.containers({})
        matched = match_nodes(nodes, listed, _MachineIds(self._docker, self._config.name, nodes))
        local = [each for each in matched if each.container is not None]
        remote = tuple(each.name for each in matched if each.container is None)
        route = self._route(local, self._places(matched))
        registry = RegistryState(verdict="ok", ours=True)
        if route.keeps_store:
            registry = inspect_registry(
                self._docker,
                self._config.name,
                registry_port=self._registry.port,
                network=route.network,
            )
        containers = tuple(sorted(map(_node_container, local), key=_order))
        return ClusterState(
            name=self.context,
            verdict="ok",
            adopted=True,
            nodes=containers,
            remote=remote,
            api=self._kube_config.server,
            image=next((node.image for node in containers), ""),
            kubernetes=_kubernetes(nodes),
            platform=platform,
            route=route,
            registry_verdict=registry.verdict,
            registry_reason=registry.reason,
            registry_ours=registry.ours,
            registry_port=registry.port,
        )

    def _nodes(self) -> list[Object]:
        try:
            return self._kube.list("v1", "Node", "", timeout=ANSWER_SECONDS)[0]
        except ApiUnreachable as error:
            raise self.away(error) from error
        except ApiError as error:
            if error.status != 403:
                raise
            raise UsageError(
                "cluster_nodes_unreadable",
                f"context {self.context} may not list the cluster's nodes: {error.message}",
                hint="Give its user the verb list on nodes, or name another context.",
            ) from error

    def away(self, error: ApiUnreachable) -> UsageError:
        """A refusal, also in mid-run; it names the node that is stopped or paused, if one is."""
        if error.reason != "apiserver_unreachable":
            return UsageError(error.reason, error.message, where=error.where, hint=error.hint)
        message = f"context {self.context}: {error.message}"
        hint = "Start the cluster, or correct `cluster.context` in localloop.yml."
        try:
            away = list(self._stopped())
        except LocalloopError:
            away = []  # what is wrong with Docker is another matter
        if away:
            message += f"; its node {' and '.join(f'{name} is {state}' for name, state in away)}"
            names = " ".join(name for name, _ in away)
            verb = "unpause" if all(state == "paused" for _, state in away) else "start"
            hint = f"`docker {verb} {names}`, then run again."
        return UsageError("cluster_unreachable", message, where=self._kube_config.server, hint=hint)

    def _stopped(self) -> Iterator[tuple[str, str]]:
        """The containers that publish the API server's port when they run, and their states."""
        port = urlsplit(self._kube_config.server).port
        for each in self._docker.containers({"status": ["exited", "paused", "created", "dead"]}):
            found = self._docker.inspect_container(str(each["Id"])) or {}
            bindings = (found.get("HostConfig") or {}).get("PortBindings") or {}
            published = {one.get("HostPort") for held in bindings.values() for one in held or ()}
            if port and str(port) in published:
                yield str(each["Names"][0]).lstrip("/"), str(each.get("State"))

    def _places(self, matched: Sequence[Matched]) -> list[NodePlace]:
        """Where the nodes are; one more request to Docker where it may run their containers."""
        remote = [each.node for each in matched if each.container is None]
        daemon = Daemon()
        if any(runtime_of(node).startswith(DOCKER_RUNTIME) for node in remote):
            daemon = this_daemon(self._docker.info())
        return [
            NodePlace(
                name=each.name,
                container=each.container is not None,
                runtime=runtime_of(each.node),
                unlike=_A_CONTAINER if each.container else why_unlike(each.node, daemon),
            )
            for each in matched
        ]

    def _route(self, local: Sequence[Matched], nodes: Sequence[NodePlace]) -> Route:
        advertised = None
        if not self._registry.host and self._registry.route in ("auto", "advertised"):
            advertised = self._kube.get(ADVERTISED, timeout=ANSWER_SECONDS)
        return choose_route(
            host=self._registry.host or "",
            wanted=self._registry.route,
            advertised=advertised,
            nodes=nodes,
            networks=_shared_networks(local),
        )


class _MachineIds:
    """The machine ids of containers, each read once: a container that restarts gets a new one."""

    def __init__(self, docker: Docker, name: str, nodes: Sequence[Object]) -> None:
        self._docker = docker
        self._path = cluster_dir(name) / "machine-ids.json"
        self._reported = {
            str(((node.get("status") or {}).get("nodeInfo") or {}).get("machineID"))
            for node in nodes
        }

    def __call__(self, container: str) -> str:
        known = self._known()
        if known.get(container) in self._reported:
            return known[container]
        content = self._docker.engine.read_file(container, _MACHINE_ID) or b""
        found = content.decode(errors="replace").strip()
        write_private(self._path, json.dumps({**known, container: found}).encode())
        return found

    def _known(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _shared_networks(local: Sequence[Matched]) -> list[str]:
    """The networks that every node's container is in."""
    each = [{*networks_of(found.container or {})} for found in local]
    return sorted(set.intersection(*each)) if each else []


def _node_container(found: Matched) -> NodeContainer:
    container: Listed = found.container or {}
    return node_container(container, role=role_of(found.node))


def _order(node: NodeContainer) -> tuple[bool, int, str]:
    return node.role != CONTROL_PLANE, len(node.name), node.name


def _platform(nodes: Sequence[Object]) -> str:
    found = sorted({platform for node in nodes if (platform := platform_of(node))})
    if len(found) > 1:
        raise UsageError(
            "cluster_platforms",
            f"the cluster has nodes of several platforms: {', '.join(found)}",
            hint="localloop builds for one platform: use a cluster whose nodes are of one kind.",
        )
    return found[0] if found else ""


def _kubernetes(nodes: Sequence[Object]) -> str:
    found = {
        str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or "")
        for node in nodes
    }
    return min(found, default="").removeprefix("v")
