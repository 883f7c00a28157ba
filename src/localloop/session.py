"""One run's connections: to Docker, the cluster's API server and the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from platform import machine

from .cluster.identity import cluster_uid, refuse_remote
from .cluster.state import (
    ClusterState,
    context_name,
    control_plane,
    inspect_cluster,
    kubeconfig_path,
    not_ours,
    registry_container,
)
from .config.model import Project
from .errors import LocalloopError, UsageError
from .fingerprint.bases import Bases
from .fingerprint.project import ProjectFingerprints
from .kube.client import ApiUnreachable, Kube
from .kube.kubeconfig import KubeConfig, load_kubeconfig
from .registry.client import Registry
from .system.docker import Docker


class Session:
    """A project and its connections, each opened on first use."""

    def __init__(
        self,
        project: Project,
        environ: Mapping[str, str],
        *,
        registry: str = "",
        platform: str = "",
        writes: bool = True,
        blind: bool = False,
    ) -> None:
        """``registry`` and ``platform`` are given by a plan; where empty they are looked up.

        ``writes``: whether the run may write to the project's cache. ``blind``: Docker does not
        answer, so that only what needs no cluster works. Raises ``UsageError`` where the project's
        provider does not exist here.
        """
        self.project = project
        self.environ = environ
        self.provider = provider_of(project)
        self.cluster_name = project.cluster.name
        self.container_name = control_plane(self.cluster_name)
        self.registry_container_name = registry_container(self.cluster_name)
        self.docker = Docker()
        self._registry = registry
        self._platform = platform
        self._writes = writes
        self._blind = blind
        self._uid = ""

    @cached_property
    def cluster(self) -> ClusterState:
        """The state of the cluster's containers, as Docker reports it."""
        return inspect_cluster(
            self.docker,
            self.cluster_name,
            wanted=self.project.cluster,
            registry_port=self.project.registry.port,
        )

    @cached_property
    def kube(self) -> Kube:
        """The API server; its kubeconfig is read once and frozen for the run."""
        if self.cluster.nodes and not self.cluster.ours:
            raise not_ours(self.cluster_name)
        if not self.kubeconfig.exists():
            self._fetch_kubeconfig()
        kube = Kube(self._load_kubeconfig())
        refuse_remote(kube)
        return kube

    def _load_kubeconfig(self) -> KubeConfig:
        context = context_name(self.cluster_name)
        try:
            return load_kubeconfig(self.kubeconfig, context)
        except LocalloopError:
            if not self._fetch_kubeconfig():
                raise  # it is what kind says
        return load_kubeconfig(self.kubeconfig, context)

    def _fetch_kubeconfig(self) -> bool:
        """Make the kubeconfig what kind says; returns whether it was something else."""
        from .cluster.kubeconfig import ensure_kubeconfig

        return ensure_kubeconfig(self.cluster_name, self.cluster.api, self.environ, renew=True)

    def identify(self) -> str:
        """The cluster's uid. A kubeconfig that no longer matches the node is fetched again.

        Raises ``ApiUnreachable`` where the API server does not answer.
        """
        if not self._uid:
            try:
                self._uid = cluster_uid(self.kube)
            except ApiUnreachable:
                if not self._fetch_kubeconfig():
                    raise
                del self.kube
                self._uid = cluster_uid(self.kube)
        return self._uid

    @property
    def nodes(self) -> tuple[str, ...]:
        """The cluster's nodes, the control plane first; their containers have the same names."""
        return tuple(node.name for node in self.cluster.nodes)

    @property
    def kubeconfig(self) -> Path:
        """The cluster's kubeconfig; it may not have been written yet."""
        return kubeconfig_path(self.cluster_name)

    @cached_property
    def registry(self) -> Registry:
        """The registry that images are published to."""
        return Registry(self.registry_address)

    @property
    def registry_address(self) -> str:
        """``127.0.0.1:PORT``, the same on the host and on the node."""
        return self._registry or f"127.0.0.1:{self.cluster.registry_port}"

    @property
    def platform(self) -> str:
        """The nodes' platform (``linux/amd64``): the host's, because they are its containers."""
        if self._platform:
            return self._platform
        return host_platform()

    @cached_property
    def fingerprints(self) -> ProjectFingerprints:
        """The fingerprints of the project's components, for the platform of the nodes."""
        return ProjectFingerprints(
            self.project,
            platform=self.platform,
            environ=self.environ,
            bases=Bases(None if self._blind else self.docker),
            writes=self._writes,
        )

    def repository_name(self, component: str) -> str:
        """PROJECT/COMPONENT: an image's name inside the registry."""
        return f"{self.project.name}/{component}"

    def repository(self, component: str) -> str:
        """REGISTRY/PROJECT/COMPONENT."""
        return f"{self.registry_address}/{self.repository_name(component)}"


def host_platform() -> str:
    """This machine's platform, written as Docker does (``linux/amd64``)."""
    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine(), machine())


def provider_of(project: Project) -> str:
    """The provider that ``auto`` stands for; ``UsageError`` for one that does not exist (yet)."""
    provider, where = project.cluster.provider, project.config_path.name
    if provider in ("auto", "kind"):
        return "kind"
    if provider == "bundled":
        raise UsageError(
            "provider_retired",
            "the bundled cluster was replaced by kind",
            where=where,
            hint="Write `provider: kind` (or leave it out). `localloop down --cluster` then removes"
            " what is left of the bundled cluster.",
        )
    raise UsageError(
        "not_there_yet",
        f"cluster provider {provider} is not there yet",
        where=where,
        hint="Use `provider: kind` (or leave it out).",
    )
