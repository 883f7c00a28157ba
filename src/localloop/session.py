"""One run's connections: to Docker, the cluster's API server and the registry."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from platform import machine

from .cluster.identity import cluster_uid, refuse_remote
from .cluster.state import (
    ClusterState,
    context_name,
    ensure_kubeconfig,
    inspect_cluster,
    kubeconfig_path,
    node_container,
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
        self.container_name = node_container(self.cluster_name)
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
            self.docker, self.cluster_name, registry_port=self.project.registry.port
        )

    @cached_property
    def kube(self) -> Kube:
        """The API server; its kubeconfig is read once and frozen for the run."""
        if not self.kubeconfig.exists():
            ensure_kubeconfig(self.docker, self.cluster_name)
        kube = Kube(self._load_kubeconfig())
        refuse_remote(kube)
        return kube

    def _load_kubeconfig(self) -> KubeConfig:
        context = context_name(self.cluster_name)
        try:
            return load_kubeconfig(self.kubeconfig, context)
        except LocalloopError:
            if not ensure_kubeconfig(self.docker, self.cluster_name):
                raise  # the node's own kubeconfig is the one that cannot be read
        return load_kubeconfig(self.kubeconfig, context)

    def identify(self) -> str:
        """The cluster's uid. A kubeconfig that no longer matches the node is fetched again.

        Raises ``ApiUnreachable`` where the API server does not answer.
        """
        if not self._uid:
            try:
                self._uid = cluster_uid(self.kube)
            except ApiUnreachable:
                if not ensure_kubeconfig(self.docker, self.cluster_name):
                    raise
                del self.kube
                self._uid = cluster_uid(self.kube)
        return self._uid

    def answers(self) -> bool:
        """Whether the API server reports ready within two seconds."""
        try:
            return self.kube.ready(timeout=2)
        except LocalloopError:
            return False

    @property
    def nodes(self) -> tuple[str, ...]:
        """The containers that are the cluster's nodes."""
        return (self.container_name,)

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
        """The nodes' platform (``linux/amd64``), the host's where there is no cluster yet."""
        if self._platform:
            return self._platform
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
    """The provider that ``auto`` stands for on this machine; ``UsageError`` where there is none."""
    provider = project.cluster.provider
    if provider in ("auto", "bundled"):
        if sys.platform == "linux" and host_platform() == "linux/amd64":
            return "bundled"
        raise UsageError(
            "no_provider",
            "the bundled cluster needs Linux on amd64",
            hint="There is no other provider yet.",
        )
    raise UsageError(
        "not_there_yet",
        f"cluster provider {provider} is not there yet",
        where=project.config_path.name,
        hint="Use `provider: bundled` (or leave it out).",
    )
