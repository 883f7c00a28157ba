"""Write the files by which the nodes' containerd knows a registry of this host."""

from __future__ import annotations

from typing import Any

from ..system.docker import Docker
from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "nodes": {"type": "list", "elements": "str", "required": True},
    "directories": {"type": "list", "elements": "path", "required": True},
    "content": {"type": "str", "required": True},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Write ``hosts.toml`` into each of ``directories`` on each of ``nodes``, which are containers.

    Takes ``content``, the file's. Returns ``changed`` and ``written`` (the nodes that lacked one of
    them or had another). Check mode writes nothing.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``docker_error``.
        UsageError (exit 2): ``docker_host_refused``.
    """
    from ..cluster.nodes import put_copies

    docker, written = Docker(), []
    content = params["content"].encode()
    paths = [f"{directory}/hosts.toml" for directory in params["directories"]]
    for node in params["nodes"]:
        if all(docker.read_path(node, path) == content for path in paths):
            continue
        written.append(node)
        if not context.check:
            put_copies(docker, node, paths, content)
    return {"changed": bool(written), "written": written}
