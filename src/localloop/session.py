"""One run's connections: the project, its cluster, its registry, and fingerprints made once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
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
from .config.model import Chart, Image, Project
from .errors import LocalloopError, UsageError
from .fingerprint.bases import Bases
from .fingerprint.builder_kind import builder_kind
from .fingerprint.components import (
    Fingerprint,
    analyse_image,
    base_images,
    fingerprint_chart,
    fingerprint_cluster,
    fingerprint_image,
)
from .fingerprint.explain import last_bases
from .fingerprint.folder_cache import InputCache
from .inputs.context import build_context
from .inputs.context_copy import copy_name
from .inputs.dockerfile import Analysis
from .kube.client import ApiUnreachable, Kube
from .kube.collections import Collection, fetch_collections
from .kube.kubeconfig import KubeConfig, load_kubeconfig
from .kube.objects import Snapshot
from .readiness.result import GateResult
from .registry.client import Registry
from .system.docker import Docker


class Session:
    """Everything that a step needs to act; connections are opened when they are first used."""

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
        """``writes``: whether the run may keep what it learned in the project's cache.

        ``blind``: Docker cannot be asked; only what needs no cluster can be done.
        """
        self.project = project
        self.environ = environ
        self.provider = provider_of(project)
        self.cluster_name = project.cluster.name
        self.container_name = node_container(self.cluster_name)
        self.registry_container_name = registry_container(self.cluster_name)
        self.docker = Docker()
        self.observed: dict[str, GateResult] = {}
        self._started = time.time_ns()
        self._registry = registry
        self._platform = platform
        self._writes = writes
        self._bases = Bases(None if blind else self.docker)
        self._inputs = InputCache(project.root, writes=writes)
        self._fingerprints: dict[str, Fingerprint] = {}
        self._uid = ""

    @cached_property
    def cluster(self) -> ClusterState:
        """What Docker knows of the cluster's containers."""
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
                raise  # it is the node's own that cannot be read
        return load_kubeconfig(self.kubeconfig, context)

    def identify(self) -> str:
        """The cluster's uid; a kubeconfig that is not the node's (any more) is fetched again."""
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
        """Whether the API server says within two seconds that it is ready."""
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
        return kubeconfig_path(self.cluster_name)

    @cached_property
    def registry(self) -> Registry:
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

    def repository_name(self, component: str) -> str:
        """PROJECT/COMPONENT: an image's name inside the registry."""
        return f"{self.project.name}/{component}"

    def repository(self, component: str) -> str:
        """REGISTRY/PROJECT/COMPONENT."""
        return f"{self.registry_address}/{self.repository_name(component)}"

    def fingerprint_image(self, image: Image, *, fresh: bool = False) -> Fingerprint:
        """An image's fingerprint.

        ``fresh`` looks at its inputs again; files that changed since the session began have moved,
        even if they are as they were.
        """
        self._inputs.files.since = self._started if fresh else None
        if fresh:
            self._bases.forget()
        if fresh or image.name not in self._fingerprints:
            self._fingerprints[image.name] = fingerprint_image(
                self.project,
                image,
                base_digests=self._base_digests(image),
                platform=self.platform,
                builder=builder_kind(self.project.builder, self.environ),
                cache=self._inputs,
            )
        return self._fingerprints[image.name]

    def copy_name(self, image: Image) -> str:
        """What tells BuildKit's copies of the image's context apart (see contextcopy.py)."""
        root = build_context(self.project, image).context
        return copy_name(os.fsencode(root), self.fingerprint_image(image).tree)

    def fingerprint(self, component: str) -> Fingerprint:
        """A component's fingerprint, whatever its kind."""
        if component in self.project.charts:
            return self.fingerprint_chart(self.project.charts[component])
        return self.fingerprint_image(self.project.builds[component])

    def analysis(self, image: Image) -> Analysis:
        """What the image's Dockerfile reads and declares."""
        return analyse_image(self.project, image, platform=self.platform)

    def fingerprint_chart(self, chart: Chart) -> Fingerprint:
        if chart.name not in self._fingerprints:
            self._fingerprints[chart.name] = fingerprint_chart(
                self.project, chart, cache=self._inputs
            )
        return self._fingerprints[chart.name]

    @cached_property
    def cluster_inputs(self) -> Fingerprint | None:
        """The fingerprint of what the cluster depends on; None where nothing is declared."""
        return fingerprint_cluster(self.project, cache=self._inputs)

    def base_images(self, image: Image) -> tuple[str, ...]:
        """The outside images that an image is built from, also through those that it needs."""
        return base_images(self.project, image, platform=self.platform)

    def _base_digests(self, image: Image) -> dict[str, str]:
        """The digests of Docker's store, else those of the last build."""
        references = self.base_images(image)
        missing = self._bases.missing(references)
        built = last_bases(self.project.root, missing)
        found = {reference: self._bases.local(reference) for reference in references}
        return {**found, **{reference: built.get(reference, "") for reference in missing}}

    def missing_bases(self, image: Image) -> list[str]:
        """The base images of which Docker's store does not say what they are now."""
        return self._bases.missing(self.base_images(image))

    def pull_bases(self, image: Image) -> bool:
        """Pull the base images that are missing, before a build; whether there were any."""
        missing = self.missing_bases(image) if self._writes else []
        if missing:
            self._bases.pull(missing, image.name)
            self._fingerprints.clear()
        return bool(missing)

    def fetch(self, wanted: Sequence[Collection]) -> Snapshot:
        """The collections, as they are now."""
        return fetch_collections(self.kube, wanted)


def host_platform() -> str:
    """This machine's platform in Docker's words."""
    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine(), machine())


def provider_of(project: Project) -> str:
    """The provider that ``auto`` stands for here; refuses what is not there yet."""
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
