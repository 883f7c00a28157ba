"""How an image reaches the nodes of a cluster that localloop did not create. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..errors import UsageError
from .registry_state import NETWORK

RouteName = Literal["ours", "registry", "advertised", "load"]
NAMES: tuple[RouteName, ...] = get_args(RouteName)

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
    one), ``advertised`` (the one that the cluster names) or ``load`` (localloop's registry keeps
    the images, and each is written into the nodes). ``why`` is in a few words. ``push`` is the
    registry's HOST:PORT on this machine, ``pull`` that on the nodes; empty for localloop's own.
    ``network`` is the Docker network in which the nodes pull from localloop's own; empty where none
    does.
    """

    name: RouteName
    why: str = ""
    push: str = ""
    pull: str = ""
    network: str = ""

    @property
    def loads(self) -> bool:
        """Whether images are written into the nodes, which then pull nothing."""
        return self.name == "load"

    @property
    def keeps_store(self) -> bool:
        """Whether localloop's own registry keeps the images."""
        return self.name in ("ours", "load")


OURS = Route(name="ours", why="the cluster is localloop's own", network=NETWORK)


def choose_route(
    *,
    host: str,
    wanted: str,
    advertised: Mapping[str, Any] | None,
    nodes: Sequence[str],
    remote: Sequence[str],
    networks: Sequence[str] = (),
) -> Route:
    """The route of a cluster that was found.

    ``host`` and ``wanted`` are ``registry.host`` and ``registry.route``; ``advertised`` is the
    ConfigMap of KEP-1755, if there is one; ``nodes`` are those that are containers of this Docker,
    ``remote`` the others; ``networks`` are those of Docker that all ``nodes`` are in. Raises
    ``UsageError``: ``registry_advertised_unusable``, ``no_image_route``.
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
    if wanted == "ours" and nodes and not remote:
        return Route(name="ours", why="registry.route", network=_network(nodes, networks))
    if nodes and not remote:
        why = "the cluster names no registry, and its nodes are containers here"
        return Route(name="load", why="registry.route" if wanted == "load" else why)
    what = f"{', '.join(remote)} {'is no container' if len(remote) == 1 else 'are no containers'}"
    asked = "it names no registry (KEP-1755)" if wanted == "auto" else f"registry.route is {wanted}"
    raise UsageError(
        "no_image_route",
        f"no image can reach the cluster: {asked}, and"
        f" {what if remote else 'it has no nodes that are containers'} of this Docker",
        hint="Name a registry that its nodes pull from and that this machine pushes to:"
        " `registry: {host: HOST:PORT}` in localloop.yml; or use a cluster whose nodes run in this"
        " Docker (leave `cluster.context` out, and localloop creates one).",
    )


def _network(nodes: Sequence[str], networks: Sequence[str]) -> str:
    """The network in which nodes and registry find each other by name: kind's, if they have it."""
    usable = sorted(set(networks) - {*_NAMELESS}, key=lambda each: (each != NETWORK, each))
    if usable:
        return usable[0]
    raise UsageError(
        "no_image_route",
        f"registry.route is ours, and {', '.join(nodes)} share no Docker network in which they"
        " would find a registry by its name",
        hint=OVERRIDE,
    )


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
