"""Create, start, stop or remove a kind cluster of localloop's."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ..config.model import ClusterConfig
from ..errors import UsageError
from ..system.docker import Docker
from .context import Context

STATES = ["created", "started", "stopped", "absent"]
ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "required": True, "choices": STATES},
    "project": {"type": "path"},
    "image": {"type": "str"},
    "api_port": {"type": "int", "default": 0},
    "timeout": {"type": "int", "default": 120},
}

# What the report calls the time until the nodes are Ready.
_SPANS = {"created": "cluster_create", "started": "cluster_start"}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Create, start, stop or remove a cluster that localloop created.

    Takes ``name``; ``state``: ``created`` (in place of a cluster of that name, if there is one),
    ``started``, ``stopped`` or ``absent``; ``project`` (the directory whose localloop.yml says
    which nodes, ports and mounts it has; empty: one node), ``image`` (of the nodes), ``api_port``
    (0: the one that it had, else a free one) and ``timeout`` (seconds until the nodes are Ready).
    Returns ``changed``. Check mode changes nothing.

    Raises:
        LocalloopError (exit 1): ``api_port_taken``, ``port_taken``, ``kind_failed``,
            ``cluster_not_ready``, ``tool_timeout``, ``docker_unreachable``, ``docker_error``.
        UsageError (exit 2): ``cluster_not_ours``, ``tool_missing``, ``tool_too_old``,
            ``port_address_missing``, ``image_missing``, ``config_missing``, ``config_invalid``.
    """
    from ..cluster import lifecycle

    name, state, docker = params["name"], params["state"], Docker()
    found = lifecycle.look(docker, name)

    def say(text: str) -> None:
        context.emit({"event": "progress", "component": "cluster", "step": "kind", "text": text})

    running = [node for node in found.nodes if node.state == "running"]
    if context.check:
        changed = {
            "created": True,
            "started": len(running) < len(found.nodes),
            "stopped": bool(running),
            "absent": bool(found.nodes),
        }[state]
        return {"changed": changed}
    started = time.monotonic()
    if state == "created":
        if not params["image"]:
            raise UsageError("image_missing", "a cluster is created from an image", where="image")
        lifecycle.create(
            docker,
            _wanted(name, params["project"]),
            params["image"],
            api_port=params["api_port"] or None,
            seconds=params["timeout"],
            say=say,
            environ=os.environ,
        )
        changed = True
    elif state == "started":
        changed = lifecycle.start(
            docker, name, seconds=params["timeout"], say=say, environ=os.environ
        )
    elif state == "stopped":
        changed = lifecycle.stop(docker, name)
        if changed:
            context.emit({"event": "stopped", "cluster": name})
    else:
        changed = lifecycle.remove(docker, name, environ=os.environ)
    if state in _SPANS:
        took = time.monotonic() - started
        context.emit({"event": "span", "name": _SPANS[state], "duration_s": took})
    return {"changed": changed}


def _wanted(name: str, project: str | None) -> ClusterConfig:
    if not project:
        return ClusterConfig(name=name)
    from ..config.project import load_project

    return load_project(Path(project)).cluster
