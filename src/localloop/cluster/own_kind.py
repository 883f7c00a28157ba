"""The provider ``kind``: a kind cluster that localloop creates, of the project's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..config.model import ClusterConfig, RegistryConfig
from ..errors import LocalloopError
from ..kube.client import ApiUnreachable, Kube
from ..kube.kubeconfig import load_kubeconfig
from ..system.docker import Docker
from .identity import require_allowed
from .state import (
    ClusterState,
    context_name,
    inspect_cluster,
    kubeconfig_path,
    not_ours,
)


class OwnKindProvider:
    """The kind cluster of a name, which has to be localloop's own."""

    name = "kind"
    owns = True

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
        self.address = config.name
        self.context = context_name(config.name)

    @property
    def kubeconfig(self) -> Path:
        """Our own file, which has this cluster alone."""
        return kubeconfig_path(self._config.name)

    @property
    def server(self) -> str:
        """The URL in our kubeconfig, if it is there and whole."""
        try:
            return load_kubeconfig(self.kubeconfig, self.context).server
        except LocalloopError:  # who needs it fetches it
            return ""

    def find(self) -> ClusterState:
        """Two requests to Docker and one to the registry, if it runs."""
        return inspect_cluster(
            self._docker,
            self._config.name,
            wanted=self._config,
            registry_port=self._registry.port,
        )

    def why(self, found: ClusterState) -> str:
        """``cluster.provider`` names it, or there is no configured context."""
        if self._config.provider == self.name:
            return "cluster.provider is kind"
        there = "is localloop's own" if found.ours else "is created"
        return f"no cluster.context is configured; kind cluster {self._config.name} {there}"

    def connect(self, found: ClusterState | None = None) -> Kube:
        """Its API server; fetches the kubeconfig if it is missing or damaged."""
        found = found or self.find()
        if found.nodes and not found.ours:
            raise not_ours(self._config.name)
        if not self.kubeconfig.exists():
            self.fetch_kubeconfig(found)
        try:
            return self._kube()
        except LocalloopError:
            if not self.fetch_kubeconfig(found):
                raise  # it is what kind says
        return self._kube()

    def _kube(self) -> Kube:
        config = load_kubeconfig(self.kubeconfig, self.context)
        require_allowed(config, self._config)
        kube = Kube(config)
        kube.transport.connect(kube.timeout, kube.credentials.current())  # are they certificates?
        return kube

    def away(self, error: ApiUnreachable) -> LocalloopError:
        """The error itself: a deploy starts its own cluster."""
        return error

    def fetch_kubeconfig(self, found: ClusterState) -> bool:
        """Make the kubeconfig what kind says; whether it was something else."""
        from .kubeconfig import ensure_kubeconfig

        return ensure_kubeconfig(self._config.name, found.api, self._environ, renew=True)

    def freeze(self, lock: Path) -> Path | None:
        """Nothing: the kubeconfig is our own, and nobody else writes it."""
        return None
