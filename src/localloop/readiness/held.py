"""What a pod that is ending still holds: the scheduler goes on trying until it lets go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..kube.fields import map_at, maps_at
from ..kube.objects import Object

_PORTS = re.compile(r"free ports for the requested pod ports")
_CLAIMS = re.compile(
    r"already in-use by another pod|same name and ReadWriteOncePod|no available disk"
    r"|exceed max volume count"
)
_RESOURCE = re.compile(r"Insufficient ([A-Za-z0-9./-]+[A-Za-z0-9])")
_PLACE = re.compile(
    r"Too many pods|anti-affinity rules|topology spread constraints|resourceclaim in use"
    r"|cannot allocate all claims"
)


def holder(pod: Object, message: str, leaving: Iterable[Object]) -> str:
    """The first of the pods ``leaving`` that holds what ``pod`` asks for; empty if none does.

    ``message`` is the scheduler's. Pods without a node hold nothing.
    """
    for other in leaving:
        if map_at(other, "spec").get("nodeName") and _holds(other, pod, message):
            return str(map_at(other, "metadata").get("name") or "a pod")
    return ""


def _holds(other: Object, pod: Object, message: str) -> bool:
    if _PORTS.search(message) and set(_host_ports(other)) & set(_host_ports(pod)):
        return True
    if _CLAIMS.search(message) and set(_claims(other)) & set(_claims(pod)):
        return True
    if any(_requests(other, name) for name in _RESOURCE.findall(message)):
        return True
    return bool(_PLACE.search(message))


def _containers(pod: Object) -> Iterator[Any]:
    yield from maps_at(pod, "spec", "initContainers")
    yield from maps_at(pod, "spec", "containers")


def _host_ports(pod: Object) -> Iterator[tuple[str, str]]:
    on_host = bool(map_at(pod, "spec").get("hostNetwork"))
    for container in _containers(pod):
        for port in maps_at(container, "ports"):
            number = port.get("hostPort") or (on_host and port.get("containerPort"))
            if number:
                yield str(number), str(port.get("protocol") or "TCP")


def _claims(pod: Object) -> Iterator[str]:
    for volume in maps_at(pod, "spec", "volumes"):
        name = map_at(volume, "persistentVolumeClaim").get("claimName")
        if name:
            yield str(name)
        elif map_at(volume, "ephemeral"):
            yield f"{map_at(pod, 'metadata').get('name')}-{volume.get('name')}"


def _requests(pod: Object, resource: str) -> bool:
    return any(
        resource in map_at(container, "resources", section)
        for container in _containers(pod)
        for section in ("requests", "limits")
    ) or resource in map_at(pod, "spec", "resources", "requests")
