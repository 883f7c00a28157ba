"""``cluster`` of ``localloop.yml``: where the cluster comes from, and what it has to have."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .environment import overrides
from .loader import Node
from .model import LOOPBACK_ADDRESS, ClusterConfig, Mount, Port, RegistryConfig
from .node_places import TMPFS, is_in, normal, problem
from .reader import Reader
from .schema import SCHEMA
from .validate import form, matches

# The nodes look the registry up by its container's name, and a label in DNS has at most 63
# characters. That is shorter than what the node NAME-control-plane leaves.
NAME_MAX = 63 - len("localloop--registry")
_OF_A_KIND_CONFIG = ("nodes", "ports", "mounts", "kubernetes", "node_image")
_FOUND = "and `context` names one that is there already"
_PORT = re.compile(
    r"(?:(?P<address>[0-9]+(?:\.[0-9]+){3}):(?:(?P<there>[0-9]*):)?|(?P<host>[0-9]+):)?"
    r"(?P<node>[0-9]+)(?:/(?P<protocol>[a-z]+))?",
    re.ASCII,
)


def read_cluster(reader: Reader, project: str, environ: Mapping[str, str]) -> ClusterConfig:
    """``cluster``; its name is CLUSTER_NAME, else the key's, else the project's.

    Raises UsageError for what the schema cannot refuse, and for what this machine lacks.
    """
    items = reader.items("cluster")
    fields: dict[str, Any] = {
        key: items[key].value
        for key in ("provider", "name", "context", "kubernetes", "node_image")
        if key in items
    }
    fields |= overrides("cluster", environ, name="CLUSTER_NAME")
    fields.setdefault("name", project)
    if not _is_found(reader, items):
        _check_name(reader, fields["name"], environ)
    if "kubeconfig" in items:
        fields["kubeconfig"] = reader.anywhere(items["kubeconfig"])
    for key in ("allow_server", "allow_exec"):
        if key in items:
            fields[key] = tuple(item.value for item in items[key].value)
    if "nodes" in items:
        fields["nodes"] = int(items["nodes"].value)
    if "ports" in items:
        fields["ports"] = _ports(reader, items["ports"])
    if "mounts" in items:
        fields["mounts"] = _mounts(reader, items["mounts"])
    if "kind_config" in items:
        fields |= _kind_config(reader, items["kind_config"])
    return ClusterConfig(**fields, inputs=reader.paths(items.get("inputs"), patterns=True))


def _is_found(reader: Reader, items: Mapping[str, Node]) -> bool:
    """Whether the cluster is one that is there already; UsageError for keys that do not fit."""
    provider = items["provider"].value if "provider" in items else "auto"
    cluster = reader.node.get("cluster")
    if "context" not in items:
        if provider == "existing":
            message = "provider existing needs the context of the cluster"
            raise reader.fail(items["provider"], message, "add `context: NAME` to cluster")
        if cluster is not None and "kubeconfig" in items:
            message = "kubeconfig is where `context` is looked up, and there is no context"
            raise reader.fail_key(cluster, "kubeconfig", message, "add `context: NAME` to cluster")
        return False
    if cluster is None or provider not in ("auto", "existing"):
        message = f"provider {provider} creates its own cluster, it takes no context"
        raise reader.fail(items["context"], message, "remove `provider`, or `context`")
    for key in (*_OF_A_KIND_CONFIG, "kind_config"):
        if key in items:
            message = f"{key} is of a cluster that localloop creates, {_FOUND}"
            raise reader.fail_key(cluster, key, message, f"remove `{key}`, or `context`")
    return True


def read_registry(reader: Reader, cluster: ClusterConfig) -> RegistryConfig:
    """``registry``; UsageError for keys that do not fit the cluster or each other."""
    node = reader.node.get("registry")
    fields = reader.plain(node)
    config = RegistryConfig(**fields)
    if node is None:
        return config
    for key in ("host", "route"):
        if key in fields and cluster.context is None:
            message = f"{key} is of a cluster that localloop did not create"
            hint = f"remove `{key}`, or name that cluster: `cluster: {{context: NAME}}`"
            raise reader.fail_key(node, key, message, hint)
    if config.host is not None:
        for key in ("port", "route"):
            if fields.get(key) not in (None, "auto"):
                message = f"{key} has no effect with the registry `host`"
                raise reader.fail_key(node, key, message, f"remove `{key}`, or `host`")
    return config


def check_not_tmpfs(reader: Reader, node: Node, place: str) -> None:
    """Raise UsageError if a path on a node lies where Docker cannot see or keep what is there:
    it reads and writes a container's files without its tmpfs."""
    for folder in TMPFS:
        if is_in(place, folder):
            message = f"{place!r} is in {folder}, which is a tmpfs on every node"
            raise reader.fail(node, message, "choose a place outside /tmp and /run")


def check_node_files(reader: Reader, cluster: ClusterConfig) -> None:
    """Raise UsageError for a node file whose destination is in a mount that is read-only."""
    for name, file in reader.items("node_files").items():
        dest: Node = file.value["dest"]
        for mount in cluster.mounts:
            if mount.read_only and is_in(dest.value, mount.node):
                message = f"node_files.{name}: the mount at {mount.node} is read-only"
                raise reader.fail(dest, message, "remove `:ro` there, or choose another dest")


def _check_name(reader: Reader, name: str, environ: Mapping[str, str]) -> None:
    if len(name) <= NAME_MAX:
        return
    message = f"the cluster's name {name!r} has {len(name)} characters: at most {NAME_MAX} fit"
    if environ.get("CLUSTER_NAME"):
        raise UsageError("config_invalid", message, where="CLUSTER_NAME")
    items = reader.items("cluster")
    if "name" in items:
        raise reader.fail(items["name"], message)
    hint = "Give it a shorter one: cluster: {name: …}"
    raise reader.fail(reader.items()["project"], message, hint)


def _ports(reader: Reader, node: Node) -> tuple[Port, ...]:
    registry = reader.node.get("registry", "port")
    found: list[Port] = []
    if registry is not None and registry.value is not None:
        found.append(Port(LOOPBACK_ADDRESS, int(registry.value), 5000, "tcp"))
    ours = len(found)
    for item in node.value:
        port = _port(reader, item)
        for number, other in enumerate(found):
            if port.clashes(other):
                what = "registry.port" if number < ours else f"{node.value[number - ours].raw!r}"
                raise reader.fail(item, f"{item.raw!r} is the same port as {what}")
        found.append(port)
    return tuple(found[ours:])


def _port(reader: Reader, node: Node) -> Port:
    text = node.raw or ""
    items: dict[str, Any] = SCHEMA["$defs"]["cluster"]["properties"]["ports"]["items"]
    found = _PORT.fullmatch(text) if matches(items["pattern"], text) else None
    if found is None:
        raise reader.fail(node, f"{text!r} is not a port", form(items))
    address = found["address"] or LOOPBACK_ADDRESS
    if any(int(part) > 255 for part in address.split(".")):
        raise reader.fail(node, f"{address} is not an IPv4 address")
    host = found["host"] or found["there"]
    for number in filter(None, (host, found["node"])):
        if not 1 <= int(number) <= 65535:
            hint = "leave HOST out for a free port" if number == host else None
            raise reader.fail(node, f"port {number} is not between 1 and 65535", hint)
    return Port(
        address, int(host) if host else None, int(found["node"]), found["protocol"] or "tcp"
    )


def _mounts(reader: Reader, node: Node) -> tuple[Mount, ...]:
    found: dict[str, Mount] = {}
    for item in node.value:
        mount = _mount(reader, item)
        if mount.node in found:
            raise reader.fail(item, f"there is already a mount at {mount.node}")
        found[mount.node] = mount
    return tuple(found.values())


def _mount(reader: Reader, node: Node) -> Mount:
    text, place, *options = node.value.split(":")
    wrong = problem(place)
    if wrong:
        raise reader.fail(node, wrong)
    place = normal(place)
    check_not_tmpfs(reader, node, place)
    host = reader.anywhere(node, text)
    if not os.path.exists(host):  # noqa: PTH110 (Path.exists raises for a name that is too long)
        message = f"{host} does not exist" if str(host) == text else f"{text!r}: {host} is missing"
        raise reader.fail(node, message, "create it, or correct the path")
    return Mount(host, place, bool(options))


def _kind_config(reader: Reader, node: Node) -> dict[str, Any]:
    from .kind_file import read_kind_file

    cluster = reader.node.value["cluster"]
    for key in _OF_A_KIND_CONFIG:
        if key in cluster.value:
            message = f"{key} cannot be combined with kind_config"
            raise reader.fail_key(cluster, key, message, "write it into that file")
    path = reader.anywhere(node)
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a name that is too long)
        raise reader.fail(node, f"there is no file {path}", "create it, or correct the path")
    document = read_kind_file(path, name=node.value, base=reader.path.parent)
    images = {each.get("image") for each in document.get("nodes", ())}
    if len(images) > 1:
        message = "its nodes are not all of one image, which a cluster of localloop has to be"
        hint = "give each node the same `image`, or none"
        raise UsageError("config_invalid", message, where=node.value, hint=hint)
    return {
        "kind_config": path,
        "kind_document": document,
        "node_image": next(iter(images), None),
    }
