"""What is reached without a proxy: the registry, the API server and the nodes' networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from ..errors import LocalloopError
from ..system.docker import Docker
from .containers import networks_of
from .provider import Provider
from .registry_state import NETWORK, registry_container


def direct_hosts(docker: Docker, provider: Provider, name: str) -> tuple[str, ...]:
    """Names, addresses and subnets, as far as they exist.

    ``name`` is the cluster's in the local state. Raises nothing: who needs the cluster or Docker
    says what is wrong with them.
    """
    found = [registry_container(name)]
    with suppress(LocalloopError):
        found.append(urlsplit(provider.server).hostname or "")
    with suppress(LocalloopError):
        found += _subnets(docker, NETWORK)
        if not provider.owns:
            for network in sorted({*_networks(docker, provider)} - {NETWORK}):
                found += _subnets(docker, network)
    return tuple(filter(None, found))


def _networks(docker: Docker, provider: Provider) -> Iterator[str]:
    """The networks of the nodes of a cluster that localloop did not create."""
    for node in provider.find().nodes:
        yield from networks_of(docker.inspect_container(node.name) or {})


def _subnets(docker: Docker, network: str) -> Iterable[str]:
    """Those of IPv4: httpx, for one, fails at an IPv6 network in NO_PROXY."""
    found = docker.inspect_network(network) or {}
    config = (found.get("IPAM") or {}).get("Config") or []
    return [each["Subnet"] for each in config if "." in each.get("Subnet", "")]
