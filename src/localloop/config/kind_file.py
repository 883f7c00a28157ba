"""A configuration file of kind (``kind.x-k8s.io/v1alpha4``), checked before kind reads it.

kind checks it too, but only once the cluster that is to be replaced is gone.
"""

from __future__ import annotations

import ipaddress
import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .containerd_patches import refuse_unusable_patches
from .loader import MAX_BYTES, Node
from .loader import error as loader_error
from .model import API_PORT, LOOPBACK_ADDRESS, Port
from .node_places import TMPFS, normal, problem
from .schema_words import obj
from .validate import validate
from .yaml_tree import load_tree

API_VERSION = "kind.x-k8s.io/v1alpha4"
CONTROL_PLANE, WORKER = "control-plane", "worker"


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string", "minLength": 1}
_FLAG = {"type": "boolean"}
_PLAIN = {"type": "object", "additionalProperties": {"type": ["string", "boolean", "number"]}}
_PATCHES = {
    "kubeadmConfigPatches": _list(_TEXT),
    "kubeadmConfigPatchesJSON6902": _list(
        obj({"group": _TEXT, "version": _TEXT, "kind": _TEXT, "patch": _TEXT})
    ),
}
_MOUNT = obj(
    {
        "hostPath": _TEXT,
        "containerPath": _TEXT,
        "readOnly": _FLAG,
        "selinuxRelabel": _FLAG,
        "propagation": {"enum": ["None", "HostToContainer", "Bidirectional"]},
    },
    ("hostPath", "containerPath"),
)
_PORT = obj(
    {
        "containerPort": {"type": "integer", "minimum": 1, "maximum": 65535},
        "hostPort": {"type": "integer", "minimum": -1, "maximum": 65535},
        "listenAddress": _TEXT,
        "protocol": {
            "type": "string",
            "pattern": "^([Tt][Cc][Pp]|[Uu][Dd][Pp]|[Ss][Cc][Tt][Pp])$",
            "examples": ["TCP", "UDP", "SCTP"],
        },
    },
    ("containerPort",),
)
_SCHEMA = obj(
    {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": "Cluster"},
        "name": _TEXT,
        "nodes": _list(
            obj(
                {
                    "role": {"enum": [CONTROL_PLANE, WORKER]},
                    "image": _TEXT,
                    "labels": _PLAIN,
                    "extraMounts": _list(_MOUNT),
                    "extraPortMappings": _list(_PORT),
                    **_PATCHES,
                }
            )
        ),
        "networking": obj(
            {
                "ipFamily": {"enum": ["ipv4", "ipv6", "dual"]},
                "apiServerPort": {"type": "integer", "minimum": 0, "maximum": 65535},
                "apiServerAddress": _TEXT,
                "podSubnet": _TEXT,
                "serviceSubnet": _TEXT,
                "disableDefaultCNI": _FLAG,
                "kubeProxyMode": {"enum": ["iptables", "ipvs", "nftables", "none"]},
                "dnsSearch": _list(_TEXT),
            }
        ),
        "featureGates": {"type": "object", "additionalProperties": _FLAG},
        "runtimeConfig": _PLAIN,
        **_PATCHES,
        "containerdConfigPatches": _list(_TEXT),
        "containerdConfigPatchesJSON6902": _list(_TEXT),
    },
    ("apiVersion", "kind"),
)


def read_kind_file(path: Path, *, name: str, base: Path) -> dict[str, Any]:
    """The file's content, with the paths of mounts made absolute: relative ones are in ``base``.

    ``name`` is the file in messages. Raises UsageError (``config_unreadable``, ``config_invalid``).
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        message = f"cannot be read: {exc.strerror}"
        raise UsageError("config_unreadable", message, where=name) from exc
    if len(data) > MAX_BYTES:
        raise UsageError("config_invalid", "the file is larger than 1 MiB", where=name)
    root = load_tree(data, name)
    _drop_nulls(root)
    validate(root, name, _SCHEMA)
    refuse_unusable_patches(root, name)
    document: dict[str, Any] = root.plain()
    nodes = document.get("nodes") or []
    if nodes and all(node.get("role") == WORKER for node in nodes):
        raise UsageError("config_invalid", "no node has the role control-plane", where=name)
    for node in nodes:
        for mount in node.get("extraMounts", ()):
            mount["hostPath"] = os.path.normpath(base / mount["hostPath"])
        _check_mounts(node, name)
    _check_addresses(document, name)
    _check_patches(root, name)
    _check_ports(document, name)
    return document


def ports_of(node: Mapping[str, Any]) -> tuple[Port, ...]:
    """The ports that a node of such a file publishes, on 127.0.0.1 if it does not say where."""
    return tuple(
        Port(
            mapping.get("listenAddress", LOOPBACK_ADDRESS),
            int(host) if (host := mapping.get("hostPort", 0)) > 0 else None,
            int(mapping["containerPort"]),
            mapping.get("protocol", "tcp").lower(),
        )
        for mapping in node.get("extraPortMappings", ())
    )


def _check_mounts(node: dict[str, Any], name: str) -> None:
    seen: set[str] = set()
    for mount in node.get("extraMounts", ()):
        place = mount["containerPath"]
        wrong = problem(place)
        if not wrong and normal(place) in TMPFS:
            wrong = f"{place!r} is a tmpfs on every node"
        if not wrong and normal(place) in seen:
            wrong = f"two mounts of a node are at {normal(place)}"
        if wrong:
            raise UsageError("config_invalid", wrong, where=name)
        seen.add(normal(place))


def _check_addresses(document: dict[str, Any], name: str) -> None:
    networking = document.get("networking", {})
    addresses = [networking.get("apiServerAddress")]
    addresses += [port.address for node in document.get("nodes", ()) for port in ports_of(node)]
    for address in filter(None, addresses):
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            message = f"{address!r} is not an IP address"
            raise UsageError("config_invalid", message, where=name) from error
    for key in ("podSubnet", "serviceSubnet"):
        for subnet in networking.get(key, "").split(",") if key in networking else ():
            try:
                ipaddress.ip_network(subnet.strip(), strict=False)
            except ValueError as error:
                message = f"networking.{key}: {error}"
                raise UsageError("config_invalid", message, where=name) from error


def _check_patches(root: Node, name: str) -> None:
    """Refuse patches of kubeadm's configuration that kind cannot read."""
    import yaml

    merged, operations = "kubeadmConfigPatches", "kubeadmConfigPatchesJSON6902"
    nodes = root.get("nodes")
    for each in (root, *(nodes.value if nodes else ())):
        texts = [(merged, patch) for patch in _items(each, merged)]
        for patch in _items(each, operations):
            texts += [(operations, text) for text in [patch.get("patch")] if text is not None]
        for key, patch in texts:
            wanted = yaml.MappingNode if key == merged else yaml.SequenceNode
            try:
                found = yaml.compose(patch.value, Loader=yaml.SafeLoader)
            except (yaml.YAMLError, RecursionError) as error:
                said = getattr(error, "problem", None) or str(error)
                message = f"a patch in {key} is not valid YAML: {said}"
                raise loader_error(name, patch.line, patch.column, message) from error
            if not isinstance(found, wanted):
                what = "a mapping" if key == merged else "a list of operations"
                message = f"a patch in {key} must be {what}"
                raise loader_error(name, patch.line, patch.column, message)


def _items(node: Node, key: str) -> list[Node]:
    found = node.get(key)
    return list(found.value) if found is not None else []


def _check_ports(document: dict[str, Any], name: str) -> None:
    networking = document.get("networking", {})
    address = networking.get("apiServerAddress", LOOPBACK_ADDRESS)
    ports = [Port(address, networking.get("apiServerPort") or None, API_PORT, "tcp")]
    ports += [port for node in document.get("nodes", ()) for port in ports_of(node)]
    for number, port in enumerate(ports):
        if port.host is not None and any(port.clashes(other) for other in ports[:number]):
            place = f"{port.address}:{port.host}/{port.protocol}"
            message = f"two nodes, mappings or the API server publish {place}"
            raise UsageError("config_invalid", message, where=name)


def _drop_nulls(node: Node) -> None:
    """A key without a value counts as missing, as it does for kind."""
    if isinstance(node.value, dict):
        node.value = {key: item for key, item in node.value.items() if item.value is not None}
        for item in node.value.values():
            _drop_nulls(item)
    elif isinstance(node.value, list):
        for item in node.value:
            _drop_nulls(item)
