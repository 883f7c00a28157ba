"""``images`` and ``node_files`` of ``localloop.yml``: what is built, from what, and how."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from .cluster import check_not_tmpfs
from .environment import overrides
from .loader import Node
from .model import BuildCommand, Image, NodeFile, Reconcile, Secret, UnhashedArg
from .needs import check_needs
from .reader import Reader
from .schema import SCHEMA, default
from .validate import form, matches

# Keys that only BuildKit understands.
_OF_BUILDKIT = ("target", "needs", "secrets", "ssh", "cache_from", "cache_to")
_LISTS = ("needs", "ssh", "cache_from", "cache_to")


def read_builds(
    reader: Reader, environ: Mapping[str, str]
) -> tuple[dict[str, Image], dict[str, NodeFile]]:
    """All images and node files.

    Raises UsageError for what the schema cannot refuse, and for needs that are unknown or circular.
    """
    images = {name: _image(reader, name, node) for name, node in reader.items("images").items()}
    files = {
        name: _node_file(reader, name, node, environ)
        for name, node in reader.items("node_files").items()
    }
    check_needs(reader, "images", images, images, "an image")
    check_needs(reader, "node_files", files, images, "an image")
    return images, files


def _image(reader: Reader, name: str, node: Node) -> Image:
    items: dict[str, Node] = node.value
    if "build" not in items:
        return Image(**_fields(reader, name, node))
    for key in _OF_BUILDKIT:
        if key in items:
            raise reader.fail_key(node, key, f"{key} cannot be combined with build")
    if "inputs" not in items:
        message = f"images.{name} needs the key 'inputs' with build"
        raise reader.fail_key(node, "build", message, "list what the command reads")
    build: Node = items["build"]
    command = BuildCommand(
        command=tuple(word.value for word in build.value["command"].value),
        timeout=float(build.plain().get("timeout", default("build_command", "timeout"))),
    )
    return Image(**_fields(reader, name, node), build=command)


def _fields(reader: Reader, name: str, node: Node) -> dict[str, Any]:
    items: dict[str, Node] = node.value
    fields: dict[str, Any] = {"name": name}
    for key in ("dockerfile", "context"):
        if key in items:
            fields[key] = reader.relative(items[key])
    for key in ("target", "platform", "cache_scope_arg"):
        if key in items:
            fields[key] = items[key].value
    fields["build_args"] = reader.args(items.get("build_args"))
    if "unhashed_args" in items:
        fields["unhashed_args"] = _unhashed(reader, items["unhashed_args"], items.get("build_args"))
    if "inputs" in items:
        fields["inputs"] = reader.paths(items["inputs"], patterns=True)
    fields["cache_scope"] = reader.paths(items.get("cache_scope"))
    for key in _LISTS:
        if key in items:
            fields[key] = tuple(item.value for item in items[key].value)
    if "secrets" in items:
        fields["secrets"] = {
            key: _secret(reader, item) for key, item in items["secrets"].value.items()
        }
    return fields


def _secret(reader: Reader, node: Node) -> Secret:
    """The file of a secret may be absolute, start with ~, or be relative to the project."""
    found: dict[str, str] = node.plain()
    if "ca_bundle" in found:
        return Secret(ca_bundle=True)
    if "file" in found:
        return Secret(file=str(reader.anywhere(node.value["file"])))
    return Secret(env=found["env"])


def _unhashed(reader: Reader, node: Node, hashed: Node | None) -> dict[str, UnhashedArg]:
    found = {}
    for key, item in node.value.items():
        if hashed is not None and key in hashed.value:
            raise reader.fail_key(node, key, f"{key!r} is also in build_args")
        if not isinstance(item.value, dict):
            found[key] = UnhashedArg(value=item.raw or "")
        elif "command" in item.value:
            words = tuple(word.value for word in item.value["command"].value)
            timeout = item.plain().get("timeout", UnhashedArg.timeout)
            found[key] = UnhashedArg(command=words, timeout=float(timeout))
        elif "timeout" in item.value:
            raise reader.fail_key(item, "timeout", "only a command takes a timeout")
        else:
            found[key] = UnhashedArg(env=item.value["env"].value)
    return found


def _node_file(reader: Reader, name: str, node: Node, environ: Mapping[str, str]) -> NodeFile:
    items: dict[str, Node] = node.value
    fields = _fields(reader, name, node)
    fields["file"] = reader.relative(items["file"])
    dest: str = items["dest"].value
    if posixpath.normpath(dest) != dest or dest.startswith("//"):
        raise reader.fail(items["dest"], f"{dest!r} must be an absolute path without . and ..")
    check_not_tmpfs(reader, items["dest"], dest)
    fields["dest"] = dest
    for key in ("mode", "owner"):
        if key not in items:
            continue
        text = items[key].raw or ""
        schema = SCHEMA["$defs"]["node_file"]["properties"][key]
        if not matches(schema["pattern"], text):
            raise reader.fail(items[key], f"{key}: {text} is not valid", form(schema))
        fields[key] = text
    fields["mode"] = fields.get("mode", default("node_file", "mode")).zfill(4)
    if "reconcile" in items:
        reconcile = items["reconcile"].plain()
        reconcile["timeout"] = float(reconcile.get("timeout", default("reconcile", "timeout")))
        reconcile |= overrides(
            "reconcile",
            environ,
            mode="LOCALLOOP_RECONCILE",
            timeout="LOCALLOOP_RECONCILE_TIMEOUT",
        )
        fields["reconcile"] = Reconcile(**reconcile)
    return NodeFile(**fields)
