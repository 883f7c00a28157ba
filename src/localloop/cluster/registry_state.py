"""What has to be done about the cluster's own registry: one pure function of what was seen.

    seen                                             verdict    then
    a container of its name that is not localloop's  refuse     nothing is touched
    no container                                     create     wait until it serves
    one that is right, but stopped                   start      wait until it serves, else recreate
    one that is wrong, stuck, or of no use           recreate   wait until it serves, else fail
    one that serves this host and every node         ok
    one that was created in this run, and is not ok  fail       show what was seen

The role ``registry`` acts, and then asks again with what it tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import UsageError

LABEL_CLUSTER = "localloop.cluster"
REGISTRY_PORT = "5000/tcp"
NETWORK = "kind"

RegistryVerdict = Literal["ok", "create", "start", "recreate", "refuse", "fail"]
Tried = Literal["", "start", "create"]
Inspected = Mapping[str, Any]

# States of a container that `docker start` does not end.
_STUCK = {
    "paused": "registry_paused",
    "dead": "registry_dead",
    "removing": "registry_dead",
    "restarting": "registry_restarting",
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of the registry; what was not asked for has its default.

    ``container`` is what ``docker inspect`` shows, None if it is missing. ``answers``: whether it
    answers on /v2/. ``takes_pushes``: whether an upload can be begun. ``away_from``: the nodes that
    do not reach it. ``port_free``: whether nothing listens on its port while it is stopped.
    """

    container: Inspected | None = None
    answers: bool = True
    takes_pushes: bool = True
    away_from: tuple[str, ...] = ()
    port_free: bool = True


@dataclass(frozen=True, kw_only=True)
class RegistryState:
    """What is to be done about the registry, and why.

    ``port`` is the host's, published on 127.0.0.1 alone; ``held`` is the one that a running
    container occupies in whatever way.
    """

    verdict: RegistryVerdict
    reason: str = ""
    ours: bool = False
    held: int | None = None
    container_id: str = ""
    port: int | None = None


def registry_container(name: str) -> str:
    """The name of the cluster's registry container."""
    return f"localloop-{name}-registry"


def registry_not_ours(name: str) -> UsageError:
    """The refusal of a container with the registry's name which localloop did not create."""
    return UsageError(
        "registry_not_ours",
        f"container {registry_container(name)} was not made by localloop"
        f" (it lacks the label {LABEL_CLUSTER}={name}), so it is left alone",
        hint="Remove or rename it, or choose another cluster name (CLUSTER_NAME).",
    )


def registry_state(
    name: str,
    seen: Seen,
    *,
    wanted_port: int | None = None,
    network: str = NETWORK,
    tried: Tried = "",
) -> RegistryState:
    """What has to be done about the registry of a cluster.

    ``wanted_port`` is the configured one; ``network`` the one that the nodes reach it on, empty if
    they do not have to; ``tried`` is what this run has already done about it.
    """
    reason, verdict = _judge(name, seen, wanted_port, network, tried)
    if tried == "create" and verdict not in ("ok", "refuse"):
        verdict = "fail"
    found = seen.container
    if found is None:
        return RegistryState(verdict=verdict, reason=reason)
    return RegistryState(
        verdict=verdict,
        reason=reason,
        ours=_is_ours(name, found),
        held=_held(found) if found["State"].get("Running") else None,
        container_id=found["Id"],
        port=published_port(found),
    )


def _judge(
    name: str, seen: Seen, wanted_port: int | None, network: str, tried: Tried
) -> tuple[str, RegistryVerdict]:
    """The first thing that is wrong, if any, and what mends it."""
    found = seen.container
    if found is None:
        return "registry_missing", "create"
    status, port = found["State"].get("Status"), published_port(found)
    if not _is_ours(name, found):
        return "registry_not_ours", "refuse"
    if port is None or (wanted_port and port != wanted_port):
        return "registry_wrong_port", "recreate"
    if _is_proxy(found):
        return "registry_proxy_mode", "recreate"
    if network and network not in found["NetworkSettings"]["Networks"]:
        return "registry_wrong_network", "recreate"
    if status in _STUCK:
        return _STUCK[status], "recreate"
    if not found["State"].get("Running"):
        if not seen.port_free:
            return "registry_port_taken", "recreate"
        if tried:
            return "registry_not_starting", "recreate"
        return "registry_stopped", "start"
    if not seen.answers:
        return "registry_not_answering", "recreate"
    if not seen.takes_pushes:
        return "registry_refuses_pushes", "recreate"
    if seen.away_from:
        return "registry_not_reached", "recreate"
    return "", "ok"


def _is_ours(name: str, found: Inspected) -> bool:
    return (found["Config"].get("Labels") or {}).get(LABEL_CLUSTER) == name


def published_port(found: Inspected) -> int | None:
    """The host's port, if the registry's is published on 127.0.0.1, and nothing anywhere else."""
    published = {port: each for port, each in _bindings(found).items() if each}
    bindings = published.get(REGISTRY_PORT, [])
    if len(published) != 1 or len(bindings) != 1 or bindings[0].get("HostIp") != "127.0.0.1":
        return None
    return _number(bindings[0])


def _held(found: Inspected) -> int | None:
    """A port of the host that the container occupies, also one that is mapped wrongly."""
    bindings = dict(_bindings(found))
    ordered = [bindings.pop(REGISTRY_PORT, None) or [], *(each or [] for each in bindings.values())]
    numbers = [_number(binding) for each in ordered for binding in each]
    return next((number for number in numbers if number), None)


def _bindings(found: Inspected) -> Mapping[str, Any]:
    return found["HostConfig"].get("PortBindings") or {}


def _number(binding: Mapping[str, str]) -> int | None:
    number = binding.get("HostPort", "")
    return int(number) if number.isdigit() else None


def _is_proxy(found: Inspected) -> bool:
    prefix = "REGISTRY_PROXY_REMOTEURL="
    return any(
        item.startswith(prefix) and item != prefix for item in found["Config"].get("Env") or ()
    )
