"""One run's connections: to Docker, the cluster's API server and the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from platform import machine

from .cluster.identity import cluster_uid, pin_path, require_pinned
from .cluster.image_stores import ImageStores
from .cluster.provider import Provider, provider_of
from .cluster.registry_state import registry_container
from .cluster.route import OURS, Route
from .cluster.state import ClusterState, control_plane
from .config.model import Project
from .fingerprint.bases import Bases
from .fingerprint.project import ProjectFingerprints
from .kube.client import ApiUnreachable, Kube
from .registry.client import Manifest, Registry
from .registry.published import PublishedImage
from .system.docker import Docker
from .system.environ import uses_proxy


class Session:
    """A project and its connections, each opened on first use."""

    def __init__(
        self,
        project: Project,
        environ: Mapping[str, str],
        *,
        registry: str = "",
        platform: str = "",
        route: Route | None = None,
        writes: bool = True,
        pulls: bool = True,
        blind: bool = False,
    ) -> None:
        """``registry``, ``platform`` and ``route`` are a plan's; else they are looked up.

        ``writes``: whether the run may write to the project's cache, and, if ``pulls`` too, pull
        base images. ``blind``: Docker does not answer, so that only what needs no cluster works.
        Raises ``UsageError`` where the project's provider does not exist here.
        """
        self.project = project
        self.environ = environ
        self.docker = Docker()
        self.provider: Provider = provider_of(project, self.docker, environ)
        self.cluster_name = project.cluster.name
        self.registry_container_name = registry_container(self.cluster_name)
        self._route = route
        self._registry = registry
        self._platform = platform
        self._writes = writes
        self._pulls = writes and pulls
        self._blind = blind
        self._uid = ""

    @cached_property
    def cluster(self) -> ClusterState:
        """The state of the cluster and its nodes, as the provider finds it."""
        return self.provider.find()

    @cached_property
    def kube(self) -> Kube:
        """The API server; its kubeconfig is read once and frozen for the run.

        Raises ``UsageError`` for a server or a program that is not allowed, before it is asked, and
        for a cluster that localloop did not create and that is another than before
        (``cluster_replaced``, ``apiserver_untrusted``) or does not answer.
        """
        kube = self.provider.connect(self.cluster if self.provider.owns else None)
        if not self.provider.owns:  # also in mid-run: each step has its own session
            try:
                self._uid = cluster_uid(kube)
            except ApiUnreachable as error:
                raise self.provider.away(error) from error
            require_pinned(self.pin, self._uid, kube.config)
        return kube

    @property
    def context(self) -> str:
        """The context of the kubeconfig that every tool is given."""
        return self.provider.context

    @property
    def container_name(self) -> str:
        """The container of a node: the control plane's, where that is one."""
        if self.provider.owns:
            return control_plane(self.cluster_name)
        return next((node.name for node in self.cluster.nodes), "")

    def identify(self) -> str:
        """The cluster's uid. A kubeconfig that no longer matches the node is fetched again.

        Raises ``ApiUnreachable`` where the API server does not answer.
        """
        if not self._uid:
            try:
                self._uid = cluster_uid(self.kube)
            except ApiUnreachable:
                if not self.provider.fetch_kubeconfig(self.cluster):
                    raise
                del self.kube
                self._uid = cluster_uid(self.kube)
        return self._uid

    @property
    def pin(self) -> Path:
        """The file that keeps the uid of the cluster that this project is deployed to."""
        return pin_path(self.provider.name, self.cluster_name, self.project.name)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The cluster's nodes, the control plane first; their containers have the same names."""
        return tuple(node.name for node in self.cluster.nodes)

    @property
    def kubeconfig(self) -> Path:
        """The cluster's kubeconfig; it may not have been written yet."""
        return self.provider.kubeconfig

    @cached_property
    def direct_hosts(self) -> tuple[str, ...]:
        """What no child asks a proxy for beside loopback; looked up only where there is one."""
        if not uses_proxy(self.environ):
            return ()
        from .cluster.direct import direct_hosts

        return direct_hosts(self.docker, self.provider, self.cluster_name)

    @cached_property
    def registry(self) -> Registry:
        """The registry that images are published to."""
        return Registry(self.registry_address)

    @property
    def route(self) -> Route:
        """How images reach the nodes."""
        if self._route is not None:
            return self._route
        return OURS if self.provider.owns else self.cluster.route

    @cached_property
    def stores(self) -> ImageStores | None:
        """The stores that images are brought to; None where the nodes pull them."""
        if self.route.name == "load":
            from .cluster.node_stores import NodeStores

            return NodeStores(self.docker, self.nodes, self.registry, self.environ)
        if self.route.name == "shared":
            from .cluster.daemon_store import DaemonStore

            return DaemonStore(self.docker)
        return None

    @property
    def registry_address(self) -> str:
        """HOST:PORT of the registry that this machine pushes to."""
        return self._registry or self.route.push or f"127.0.0.1:{self.cluster.registry_port}"

    @property
    def pull_address(self) -> str:
        """HOST:PORT under which the nodes know that registry; mostly the same."""
        return self.route.pull or self.registry_address

    @property
    def platform(self) -> str:
        """The nodes' platform (``linux/amd64``): the host's where they are its containers."""
        if self._platform:
            return self._platform
        if self.provider.owns or self._blind:
            return host_platform()
        return self.cluster.platform or host_platform()

    @cached_property
    def fingerprints(self) -> ProjectFingerprints:
        """The fingerprints of the project's components, for the platform of the nodes."""
        return ProjectFingerprints(
            self.project,
            platform=self.platform,
            environ=self.environ,
            bases=Bases(None if self._blind else self.docker),
            writes=self._writes,
            pulls=self._pulls,
        )

    def provider_facts(self) -> dict[str, str]:
        """Where the cluster comes from, as data: the provider's name, its context, and why."""
        provider = self.provider
        why = provider.why(self.cluster)
        return {"name": provider.name, "context": provider.context, "why": why}

    def repository_name(self, component: str) -> str:
        """PROJECT/COMPONENT: an image's name inside the registry."""
        return f"{self.project.name}/{component}"

    def repository(self, component: str) -> str:
        """REGISTRY/PROJECT/COMPONENT, as manifests and nodes name it."""
        return f"{self.pull_address}/{self.repository_name(component)}"

    def push_repository(self, component: str) -> str:
        """REGISTRY/PROJECT/COMPONENT, as builds push to it."""
        return f"{self.registry_address}/{self.repository_name(component)}"

    def published(self, manifest: Manifest, component: str) -> PublishedImage:
        """The image that a manifest in the registry describes, as charts refer to it."""
        platform = self.project.builds[component].platform or self.platform
        found = manifest.published(self.repository(component), platform)
        return replace(found, loaded=True) if self.route.by_tag else found


def host_platform() -> str:
    """This machine's platform, written as Docker does (``linux/amd64``)."""
    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine(), machine())
