"""How an image reaches the nodes of a cluster that localloop did not create. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import UsageError
from .registry_state import NETWORK

RouteName = Literal["ours", "registry", "advertised", "shared", "load"]

ADVERTISED = "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"
ADVERTISED_KEY = "localRegistryHosting.v1"
_LOOPBACK = ("localhost", "127.0.0.1")
CONFIGMAP = "ConfigMap kube-public/local-registry-hosting"
# Docker finds containers by name in a network of the user's, and in none of these.
_NAMELESS = ("bridge", "host", "none")
OVERRIDE = (
    "Name another one in localloop.yml (`registry: {host: HOST:PORT}`), or have images loaded"
)
OVERRIDE += " into the nodes without a registry (`registry: {route: load}`)."


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way from a build to the nodes.

    ``name``: ``ours`` (localloop's registry, which the nodes pull from), ``registry`` (a configured
    one), ``advertised`` (the one that the cluster names), ``shared`` (localloop's registry keeps
    the images, and this Docker pulls each into its own store, which is the nodes' too) or ``load``
    (localloop's registry keeps them, and each is written into the nodes). ``why`` is in a few
    words. ``push`` is the registry's HOST:PORT on this machine, ``pull`` that on the nodes; empty
    for localloop's own. ``network`` is the Docker network in which the nodes pull from localloop's
    own; empty where none does.
    """

    name: RouteName
    why: str = ""
    push: str = ""
    pull: str = ""
    network: str = ""

    @property
    def loads(self) -> bool:
        """Whether images are brought to where the nodes find them, which then pull nothing."""
        return self.name in ("shared", "load")

    @property
    def by_tag(self) -> bool:
        """Whether the nodes know an image by its tag alone."""
        return self.name == "load"

    @property
    def keeps_store(self) -> bool:
        """Whether localloop's own registry keeps the images."""
        return self.name in ("ours", "shared", "load")


@dataclass(frozen=True, kw_only=True)
class NodePlace:
    """Where a node is, as far as images are concerned.

    ``container``: it is a container of this Docker. ``runtime`` is what it reports
    (``containerd://2.1.3``). ``unlike`` is why its store is not this Docker's, empty if it is.
    """

    name: str
    container: bool
    runtime: str = ""
    unlike: str = ""

    @property
    def loadable(self) -> bool:
        """Whether images can be written into it."""
        return self.container and not self.runtime.startswith("docker://")


OURS = Route(name="ours", why="the cluster is localloop's own", network=NETWORK)


def choose_route(
    *,
    host: str,
    wanted: str,
    advertised: Mapping[str, Any] | None,
    nodes: Sequence[NodePlace],
    networks: Sequence[str] = (),
) -> Route:
    """The route of a cluster that was found.

    ``host`` and ``wanted`` are ``registry.host`` and ``registry.route``; ``advertised`` is the
    ConfigMap of KEP-1755, if there is one; ``networks`` are those of Docker that all ``nodes`` are
    in. Raises ``UsageError``: ``registry_advertised_unusable``, ``registry_host_refused``,
    ``no_image_route``.
    """
    if host:
        return Route(name="registry", why="registry.host", push=host, pull=host)
    if wanted == "advertised" and advertised is None:
        raise UsageError(
            "no_image_route",
            f"registry.route is advertised, and the cluster has no {CONFIGMAP}",
            hint=OVERRIDE,
        )
    if advertised is not None and wanted in ("auto", "advertised"):
        return _advertised(advertised)
    loadable = bool(nodes) and all(node.loadable for node in nodes)
    if wanted == "ours" and loadable:
        return Route(name="ours", why="registry.route", network=_network(nodes, networks))
    if wanted in ("auto", "shared") and nodes and not any(node.unlike for node in nodes):
        why = "the cluster names no registry, and its nodes use this Docker's own store"
        return Route(name="shared", why="registry.route" if wanted == "shared" else why)
    if wanted in ("auto", "load") and loadable:
        why = "the cluster names no registry, and its nodes are containers here"
        return Route(name="load", why="registry.route" if wanted == "load" else why)
    raise _no_route(wanted, nodes)


def _no_route(wanted: str, nodes: Sequence[NodePlace]) -> UsageError:
    asked = "it names no registry (KEP-1755)"
    if wanted != "auto":
        asked = f"registry.route is {wanted}"
    against = "; ".join(filter(None, (_why_not(node, wanted) for node in nodes)))
    return UsageError(
        "no_image_route",
        f"no image can reach the cluster: {asked}, and {against or 'it has no nodes'}",
        hint="Name a registry that its nodes pull from and that this machine pushes to:"
        " `registry: {host: HOST:PORT}` in localloop.yml; or use a cluster whose nodes run in this"
        " Docker (leave `cluster.context` out, and localloop creates one).",
    )


def _network(nodes: Sequence[NodePlace], networks: Sequence[str]) -> str:
    """The network in which nodes and registry find each other by name: kind's, if they have it."""
    usable = sorted(set(networks) - {*_NAMELESS}, key=lambda each: (each != NETWORK, each))
    if usable:
        return usable[0]
    names = ", ".join(node.name for node in nodes)
    raise UsageError(
        "no_image_route",
        f"registry.route is ours, and {names} share no Docker network in which they would find a"
        " registry by its name",
        hint=OVERRIDE,
    )


def _why_not(node: NodePlace, wanted: str) -> str:
    """Why none of ``ours``, ``shared`` and ``load``, or the one that is asked for, reaches it."""
    of_docker = node.runtime.startswith("docker://")
    if wanted == "shared":
        return f"{node.name} does not use this Docker's store ({node.unlike})" * bool(node.unlike)
    if node.loadable:
        return ""
    if node.container:
        return f"{node.name} runs {node.runtime}, and localloop brings images to containerd only"
    found = f"{node.name} is no container of this Docker"
    if of_docker and node.unlike:
        found += f", and does not use its store either ({node.unlike})"
    return found


def _advertised(found: Mapping[str, Any]) -> Route:
    """The registry that the cluster names; ``UsageError`` for one that is of no use here."""
    import yaml

    text = (found.get("data") or {}).get(ADVERTISED_KEY)
    if not isinstance(text, str) or not text.strip():
        raise _unusable(ADVERTISED_KEY, "it is missing" if text is None else "it is empty")
    try:
        fields = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise _unusable(ADVERTISED_KEY, f"it is not YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(fields, dict):
        raise _unusable(ADVERTISED_KEY, "it is not a mapping")
    for key in ("host", "hostFromContainerRuntime", "hostFromClusterNetwork"):
        value = fields.get(key)
        if value is not None and not isinstance(value, str):
            raise _unusable(key, f"{value!r} is not a text")
    host = str(fields.get("host") or "").strip()
    if not host:
        raise _unusable("host", "it is missing")
    return Route(
        name="advertised",
        why=f"{CONFIGMAP}: host {host}",
        push=checked_host(host, f"{CONFIGMAP}, host"),
        pull=str(fields.get("hostFromContainerRuntime") or host).strip(),
    )


def checked_host(host: str, where: str) -> str:
    """A registry's HOST:PORT on this machine's loopback; ``UsageError`` for any other."""
    name, _, port = host.partition(":")
    if name not in _LOOPBACK or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            "registry_host_refused",
            f"{host!r} is not a registry on this machine (localhost:PORT or 127.0.0.1:PORT); no"
            " other is supported yet",
            where=where,
            hint=OVERRIDE,
        )
    return host


def _unusable(field: str, why: str) -> UsageError:
    return UsageError(
        "registry_advertised_unusable",
        f"{field}: {why}",
        where=CONFIGMAP,
        hint=OVERRIDE,
    )
