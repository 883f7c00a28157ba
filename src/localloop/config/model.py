"""A project as frozen dataclasses: ``localloop.yml`` as the rest of localloop sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class UnhashedArg:
    """A build argument that no fingerprint contains.

    Exactly one of ``value``, ``command`` and ``env`` is set; ``timeout`` is the command's, in
    seconds.
    """

    value: str | None = None
    command: tuple[str, ...] | None = None
    env: str | None = None
    timeout: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Where a build secret comes from: an absolute file, an environment variable, or this machine's
    CA certificates (which are no secret, but travel in the same way). Exactly one of them is set.
    """

    file: str = ""
    env: str = ""
    ca_bundle: bool = False


@dataclass(frozen=True, kw_only=True)
class BuildCommand:
    """A command that builds an image; ``timeout`` in seconds."""

    command: tuple[str, ...]
    timeout: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class Image:
    """A component that is built and published to the registry. Paths are relative to the project.

    BuildKit builds it from ``dockerfile``; without one, the command ``build`` does.
    """

    name: str
    dockerfile: str = ""
    build: BuildCommand | None = None
    context: str = "."
    target: str | None = None
    build_args: dict[str, str] = field(default_factory=dict)
    unhashed_args: dict[str, UnhashedArg] = field(default_factory=dict)
    inputs: tuple[str, ...] | None = None
    cache_scope: tuple[str, ...] = ()
    cache_scope_arg: str = "LOCALLOOP_CACHE_SCOPE"
    needs: tuple[str, ...] = ()
    platform: str | None = None
    secrets: dict[str, Secret] = field(default_factory=dict)
    ssh: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()

    kind = "image"


@dataclass(frozen=True, kw_only=True)
class Reconcile:
    """What happens to pods that still use the previous version of a node file."""

    namespace: str
    selector: str
    mode: str = "rolling-delete"
    timeout: float = 90.0


@dataclass(frozen=True, kw_only=True)
class NodeFile(Image):
    """A component that is one file of an export stage, put on every node."""

    file: str
    dest: str
    owner: str = "0:0"
    mode: str = "0755"
    reconcile: Reconcile | None = None

    kind = "node_file"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A component that is a Helm release.

    It comes from one of ``path`` (a directory), ``chart`` (``oci://…``, or a name in the repository
    ``repo``; of that ``version``), ``manifests`` (files and directories) and ``kustomize`` (a
    directory). ``images``: those that the manifests may name. ``keep_values`` and ``generate``
    are dotted paths in the values.
    """

    name: str
    release: str
    namespace: str
    path: str = ""
    chart: str = ""
    repo: str = ""
    version: str = ""
    manifests: tuple[str, ...] = ()
    kustomize: str = ""
    images: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    values_files: tuple[str, ...] = ()
    keep_values: tuple[str, ...] = ()
    generate: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    adopt: bool = False

    kind = "chart"

    @property
    def place(self) -> str:
        """NAMESPACE/RELEASE."""
        return f"{self.namespace}/{self.release}"


LOOPBACK_ADDRESS = "127.0.0.1"
API_PORT = 6443  # of the API server, on its node
# Where every node has a folder with a hosts.toml for each registry.
CERTS = "/etc/containerd/certs.d"
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 (recognised, not listened on)


@dataclass(frozen=True)
class Port:
    """A port of a node, published at ``address`` on this machine; without ``host``, on any port.

    ``protocol``: ``tcp``, ``udp`` or ``sctp``.
    """

    address: str
    host: int | None
    node: int
    protocol: str

    def clashes(self, other: Port) -> bool:
        """Whether this machine cannot publish both."""
        if self.protocol != other.protocol:
            return False
        if self.host is None or other.host is None:
            return self == other
        addresses = {self.address, other.address}
        return self.host == other.host and (len(addresses) == 1 or bool(addresses & _EVERYWHERE))

    def __str__(self) -> str:
        host = f"{self.address}:{self.host}" if self.host is not None else self.address
        return f"port {host} for {self.node}/{self.protocol}"


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine (absolute) in every node."""

    host: Path
    node: str
    read_only: bool


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """Where the cluster comes from, and what it has to have.

    ``allow_server``: URLs of API servers elsewhere that may be deployed to; ``allow_exec``:
    programs that may be started for credentials. ``kubernetes`` is a minor version (``1.37``).
    ``kind_document`` is the content of the file ``kind_config``, which excludes all from ``nodes``
    to ``kubernetes``; its paths are absolute, and ``node_image`` is that of its nodes.
    """

    provider: str = "auto"
    name: str
    context: str | None = None
    kubeconfig: Path | None = None
    allow_server: tuple[str, ...] = ()
    allow_exec: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    nodes: int | None = None
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    kubernetes: str | None = None
    node_image: str | None = None
    kind_config: Path | None = None
    kind_document: dict[str, Any] = field(default_factory=dict)

    @property
    def asks_for_something(self) -> bool:
        """Whether there is anything that a live cluster could lack."""
        return bool(
            (self.nodes or 1) > 1
            or self.ports
            or self.mounts
            or self.kubernetes
            or self.kind_config is not None
        )


@dataclass(frozen=True, kw_only=True)
class RegistryConfig:
    """The registry; without a port, one is chosen once and kept for localloop's own.

    For a cluster that localloop did not create: ``host`` (HOST:PORT) is a registry of the user's,
    ``route`` how images reach the nodes (``auto``, ``advertised``, ``ours``, ``shared`` or
    ``load``).
    """

    port: int | None = None
    host: str | None = None
    route: str = "auto"


@dataclass(frozen=True, kw_only=True)
class PodScope:
    """Pods that the gate checks although they belong to no release."""

    namespace: str
    selector: str
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class HttpCheck:
    """A GET request that the gate sends to ``service`` (NAMESPACE/NAME:PORT) or to ``url``."""

    name: str
    service: str = ""
    path: str = "/"
    url: str = ""
    status: int = 200
    contains: str = ""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """The gate's limits, times in seconds; without ``stable_for`` the gate chooses."""

    timeout: float = 90.0
    stable_for: float | None = None
    also: tuple[PodScope, ...] = ()
    http: tuple[HttpCheck, ...] = ()
    max_restarts: int = 3
    load_balancers: bool = False


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A command of the project that runs before or after a deploy; ``timeout`` in seconds."""

    command: tuple[str, ...]
    timeout: float = 60.0


@dataclass(frozen=True, kw_only=True)
class BaselineStep:
    """A command that ``localloop baseline`` measures; ``timeout`` in seconds."""

    name: str
    category: str
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    timeout: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class Project:
    """The checked content of ``localloop.yml``, with the environment's overrides."""

    root: Path
    name: str
    profile: str | None
    profile_args: dict[str, str]
    images: dict[str, Image]
    node_files: dict[str, NodeFile]
    charts: dict[str, Chart]
    cluster: ClusterConfig
    registry: RegistryConfig
    readiness: Readiness
    baseline: tuple[BaselineStep, ...]
    builder: str | None
    config_sha256: str
    config_path: Path
    on_failure: str = "keep"
    before_deploy: tuple[Hook, ...] = ()
    after_deploy: tuple[Hook, ...] = ()

    @property
    def builds(self) -> dict[str, Image]:
        """Images and node files by name: everything that is built."""
        return {**self.images, **self.node_files}

    @property
    def components(self) -> dict[str, Image | Chart]:
        """All components by name, in the order of the file's kinds."""
        return {**self.images, **self.node_files, **self.charts}
