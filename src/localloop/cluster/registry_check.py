"""Whether the cluster's own registry serves this host and every node; what was seen if not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection, HTTPException

from ..errors import LocalloopError
from ..system.docker import Docker
from ..system.paths import cluster_dir, write_private
from .registry_state import (
    NETWORK,
    RegistryState,
    Seen,
    Tried,
    published_port,
    registry_container,
    registry_state,
)
from .state import PROBE_SECONDS, see_registry

UPLOADS = "/v2/localloop/probe/blobs/uploads/"
# How the registry reports ENOSPC. A full disk is named by the push that needs more room.
_NO_SPACE = b'"Err":28'
_NODE_SECONDS = 5.0
# curl's exit codes if there is no such program; then only containerd can tell.
_NO_CURL = (126, 127)
_PAUSE_SECONDS = 0.2
_LOG_LINES = 20


def check_registry(
    docker: Docker,
    name: str,
    nodes: Mapping[str, str],
    *,
    wanted_port: int | None = None,
    network: str = NETWORK,
    tried: Tried = "",
    seconds: float = 0.0,
    writes: bool = True,
) -> RegistryState:
    """What has to be done about the registry of a cluster.

    ``nodes``: the ids of the running nodes that pull from it, by container. One that this run has
    started or created (``tried``) may take ``seconds`` until all is well. ``writes``: remember that
    the nodes reach it. Raises ``LocalloopError`` (``docker_unreachable``, ``docker_error``).
    """
    judge = partial(registry_state, name, wanted_port=wanted_port, network=network, tried=tried)
    deadline = time.monotonic() + seconds
    while True:
        seen = see_registry(docker, name)
        if judge(seen).verdict == "ok":
            seen = _asked(docker, name, seen, nodes, writes=writes)
        state = judge(seen)
        runs = seen.container is not None and seen.container["State"].get("Running")
        if state.verdict == "ok" or not runs or time.monotonic() > deadline:
            return state
        time.sleep(_PAUSE_SECONDS)


def _asked(
    docker: Docker, name: str, seen: Seen, nodes: Mapping[str, str], *, writes: bool
) -> Seen:
    """With what a registry that answers here says to a push, and the nodes about it.

    The nodes are asked again if one is new, or the registry's container, start or address.
    """
    found = seen.container or {}
    if not _takes_pushes(published_port(found) or 0):
        return replace(seen, takes_pushes=False)
    path = cluster_dir(name) / "registry-reached.json"
    addresses = [each.get("IPAddress") for each in found["NetworkSettings"]["Networks"].values()]
    key = [found["Id"], found["State"].get("StartedAt"), *addresses, *sorted(nodes.values())]
    with suppress(OSError, ValueError):
        if json.loads(path.read_bytes()) == key:
            return seen
    away = tuple(node for node in nodes if _reach(docker, name, node)[0])
    if writes and nodes and not away and path.parent.is_dir():
        write_private(path, json.dumps(key).encode())
    return replace(seen, away_from=away)


def _takes_pushes(port: int) -> bool:
    """Whether an upload can be begun; it is given up at once and leaves no repository.

    A proxy and a registry in maintenance refuse it, and one whose volume has gone fails.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    try:
        connection.request("POST", UPLOADS)
        response = connection.getresponse()
        said = response.read()
        if response.status == 202:
            connection.request("DELETE", response.headers["Location"])
            connection.getresponse().read()
            return True
        return _NO_SPACE in said
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _reach(docker: Docker, name: str, node: str) -> tuple[int, str]:
    """Ask the registry from a node: 0 if it answers or the node has no curl; what curl says."""
    url = f"http://{registry_container(name)}:5000/v2/"
    argv = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--output", "/dev/null"]
    argv += ["--max-time", f"{_NODE_SECONDS:g}", url]
    try:
        code, said = docker.engine.execute(node, argv, timeout=_NODE_SECONDS + 5)
    except LocalloopError as error:
        return (0, "") if "executable file not found" in error.message else (1, error.message)
    return (0, "") if code in _NO_CURL else (code, said.strip())


# --- A failure ------------------------------------------------------------------------------------


def not_repaired(
    docker: Docker, name: str, state: RegistryState, nodes: Sequence[str]
) -> LocalloopError:
    """The failure of a registry that is still not right after it was created anew."""
    container = registry_container(name)
    begin = f"the registry {container} was created anew, and still: {state.reason}"
    return LocalloopError(
        "registry_not_repaired",
        "\n".join([begin, *_seen(docker, name, state, nodes)]),
        hint=f"See `docker logs {container}` and docs/clusters.md; its images are in the volume of"
        " the same name.",
        details={"reason": state.reason},
    )


def _seen(docker: Docker, name: str, state: RegistryState, nodes: Sequence[str]) -> Iterator[str]:
    container = registry_container(name)
    found = docker.inspect_container(container)
    if found is None:
        yield "  there is no such container"
        return
    yield f"  container: {json.dumps(found['State'])}"
    yield f"  published: {json.dumps(found['HostConfig'].get('PortBindings'))}"
    networks = found["NetworkSettings"]["Networks"]
    yield "  networks: " + ", ".join(
        f"{network} ({each.get('IPAddress', '')})" for network, each in networks.items()
    )
    for node in nodes if state.reason == "registry_not_reached" else ():
        code, said = _reach(docker, name, node)
        yield f"  node {node}: {f'curl ended with {code}: {said}' if code else 'reaches it'}"
    with suppress(LocalloopError):
        for line in docker.engine.logs(container, _LOG_LINES).splitlines():
            yield f"  log: {line}"
