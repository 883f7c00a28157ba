"""Where a project's cluster comes from: what every provider offers, and which one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ..config.model import Project
from ..errors import LocalloopError, UsageError
from ..kube.client import ApiUnreachable, Kube
from ..system.docker import Docker
from .state import ClusterState


class Provider(Protocol):
    """A source of clusters. Each has a file of its own beside this one.

    ``name`` is what ``cluster.provider`` calls it. ``address`` identifies the cluster on this
    machine: runs on the same one share its lock. ``context`` is the kubeconfig's. ``owns`` says
    whether it creates, restarts, stops and removes clusters; another one only finds them.
    """

    name: str
    owns: bool

    @property
    def address(self) -> str:
        """What identifies the cluster on this machine, whatever its context is called."""

    @property
    def server(self) -> str:
        """The API server's URL; empty where there is none yet. Raises ``UsageError``."""

    @property
    def context(self) -> str:
        """The context in ``kubeconfig``."""

    @property
    def kubeconfig(self) -> Path:
        """The file that every tool of the run is given; it may not have been written yet."""

    def find(self) -> ClusterState:
        """The cluster and its nodes. Raises ``UsageError`` for one that must not be used."""

    def why(self, found: ClusterState) -> str:
        """Why this provider was chosen, in a few words."""

    def connect(self, found: ClusterState | None = None) -> Kube:
        """Its API server; no request has been sent yet. ``found`` saves looking for it again."""

    def away(self, error: ApiUnreachable) -> LocalloopError:
        """What a run ends with if the API server is not the one that it was, or does not answer."""

    def fetch_kubeconfig(self, found: ClusterState) -> bool:
        """Fetch the kubeconfig anew; whether it was another one. False where that is not ours."""

    def freeze(self, lock: Path) -> Path | None:
        """Keep the connection for a run that holds ``lock``: the file to remove at its end."""


def provider_of(project: Project, docker: Docker, environ: Mapping[str, str]) -> Provider:
    """The provider of a project: its configured context, else a kind cluster of its own.

    Nothing is asked of Docker or the API server. Raises ``UsageError`` for a provider that does not
    exist (yet).
    """
    config, where = project.cluster, project.config_path.name
    if config.context is not None and config.provider in ("auto", "existing"):
        from .existing import ExistingProvider

        return ExistingProvider(config, project.registry, docker, environ)
    if config.provider in ("auto", "kind"):
        from .own_kind import OwnKindProvider

        return OwnKindProvider(config, project.registry, docker, environ)
    if config.provider == "bundled":
        raise UsageError(
            "provider_retired",
            "the bundled cluster was replaced by kind",
            where=where,
            hint="Write `provider: kind` (or leave it out). `localloop down --cluster` then removes"
            " what is left of the bundled cluster.",
        )
    raise UsageError(
        "not_there_yet",
        f"cluster provider {config.provider} is not there yet",
        where=where,
        hint="Use `provider: kind` (or leave it out), or `cluster: {context: NAME}` for a cluster"
        " that is there already.",
    )
