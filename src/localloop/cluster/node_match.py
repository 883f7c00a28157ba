"""Which containers of this Docker are a cluster's nodes, by what the API and the containers say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..kube.objects import Object
from .containers import Listed, networks_of

MachineId = Callable[[str], str]
"""The content of ``/etc/machine-id`` in a container; empty if it has none."""


@dataclass(frozen=True)
class Matched:
    """A node, and the container that it is; None if it is none of this Docker's."""

    node: Object
    container: Listed | None

    @property
    def name(self) -> str:
        """The node's name in Kubernetes."""
        return str(self.node["metadata"]["name"])


def match_nodes(
    nodes: Sequence[Object], listed: Sequence[Listed], machine_id: MachineId
) -> list[Matched]:
    """Each node with its container.

    A container is a node if it has the node's name (or the one at the end of its provider id), and
    the machine id that the node's kubelet reports; where that is not to be had, an address that the
    node reports. A name alone proves nothing: another machine's cluster may have the same names.
    """
    by_name = {str(name).lstrip("/"): each for each in listed for name in each.get("Names") or ()}
    return [Matched(node, _container(node, by_name, machine_id)) for node in nodes]


def _container(node: Object, by_name: dict[str, Listed], machine_id: MachineId) -> Listed | None:
    provider_id = str((node.get("spec") or {}).get("providerID") or "")
    for name in (str(node["metadata"]["name"]), provider_id.rpartition("/")[2]):
        found = by_name.get(name)
        if found is not None and _is(node, found, machine_id):
            return found
    return None


def _is(node: Object, container: Listed, machine_id: MachineId) -> bool:
    status = node.get("status") or {}
    reported = str((status.get("nodeInfo") or {}).get("machineID") or "")
    here = machine_id(str(container["Id"])) if reported else ""
    if reported and here:
        return reported == here
    addresses = {
        str(each.get("address"))
        for each in status.get("addresses") or ()
        if each.get("type") == "InternalIP"
    }
    networks = networks_of(container).values()
    own = {network.get(key) for network in networks for key in ("IPAddress", "GlobalIPv6Address")}
    return bool(addresses & {str(each) for each in own if each})


def role_of(node: Object) -> str:
    """``control-plane`` or ``worker``, by the node's labels."""
    labels = node["metadata"].get("labels") or {}
    return "control-plane" if "node-role.kubernetes.io/control-plane" in labels else "worker"


def platform_of(node: Object) -> str:
    """``linux/amd64``, as the kubelet reports it; empty if it does not."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    parts = (info.get("operatingSystem"), info.get("architecture"))
    return "/".join(map(str, parts)) if all(parts) else ""
