"""The files by which a node's containerd knows localloop's registry under its address on the host.

A node pulls from 127.0.0.1:PORT, as this machine pushes there; its ``hosts.toml`` for that name
leads to the registry's container.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence

from ..config.containerd_patches import PLUGINS
from ..config.model import CERTS
from ..errors import LocalloopError, UsageError
from ..system.docker import Docker
from .containers import environ_of
from .registry_state import registry_container
from .route import OVERRIDE

_FIRST_LINE = (
    "# Written by localloop: the name on the host of a registry that is a container here.\n"
)
_DUMP = ["sh", "-c", "containerd config dump 2>/dev/null"]
_EXEC_SECONDS = 30.0


def mirrors(port: int) -> list[str]:
    """The directories with the ``hosts.toml`` for each of the registry's names on the host.

    containerd compares a registry's name literally.
    """
    return [f"{CERTS}/{host}:{port}" for host in ("localhost", "127.0.0.1")]


def hosts_toml(name: str) -> str:
    """What a node needs in its ``hosts.toml``: the registry's container by name.

    The container's address may change, its name does not.
    """
    url = f"http://{registry_container(name)}:5000"
    return (
        f'{_FIRST_LINE}server = "{url}"\n\n[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'
    )


def unwired(docker: Docker, name: str, nodes: Sequence[str], port: int) -> list[str]:
    """The nodes that lack a mirror or have another. Two requests for each node."""
    wanted = hosts_toml(name).encode()
    return [
        node for node in nodes if any(found != wanted for found in _contents(docker, node, port))
    ]


def require_wireable(docker: Docker, name: str, nodes: Sequence[str], port: int | None) -> None:
    """Raise ``UsageError`` (``node_not_wireable``) for a running node that could not pull.

    Its containerd does not read ``CERTS``, or asks a proxy for the registry's container, or a
    mirror that somebody else wrote has the registry's address. Nodes that are wired already are
    not asked; without a ``port`` none is known to be.
    """
    for node in unwired(docker, name, nodes, port) if port else nodes:
        if why := _obstacle(docker, name, node, port):
            raise UsageError(
                "node_not_wireable",
                f"node {node} cannot be made to pull from localloop's registry (registry.route is"
                f" ours): {why}",
                hint=OVERRIDE,
            )


def written(docker: Docker, name: str, node: str) -> list[str]:
    """The files on a node, running or not, that lead to the registry, whatever their port.

    One request. Not those whose content is another by now.
    """
    wanted = hosts_toml(name).encode()
    return [path for path, found in docker.read_folder(node, CERTS).items() if found == wanted]


def unwire(docker: Docker, node: str, files: Sequence[str]) -> None:
    """Remove mirrors from a running node, each with its folder if nothing else is in that.

    Raises ``LocalloopError`` (``docker_error``).
    """
    argv = ["rm", "-f", "--", *files]
    code, said = docker.engine.execute(node, argv, timeout=_EXEC_SECONDS)
    if code:
        raise LocalloopError("docker_error", f"{' '.join(argv)} on node {node}: {said.strip()}")
    folders = [path.rpartition("/")[0] for path in files]
    docker.engine.execute(node, ["rmdir", "--", *folders], timeout=_EXEC_SECONDS)


def _contents(docker: Docker, node: str, port: int) -> Iterator[bytes | None]:
    for folder in mirrors(port):
        yield docker.read_path(node, f"{folder}/hosts.toml")


def _obstacle(docker: Docker, name: str, node: str, port: int | None) -> str:
    """What keeps a node from being wired, in words; empty if nothing does."""
    for found in _contents(docker, node, port) if port else ():
        if found is not None and not found.startswith(_FIRST_LINE.encode()):
            return f"somebody else's hosts.toml is in {' or '.join(mirrors(port or 0))}"
    environ = environ_of(docker.inspect_container(node) or {})
    container = registry_container(name)
    direct = (environ.get("NO_PROXY") or environ.get("no_proxy") or "").split(",")
    proxied = environ.get("HTTP_PROXY") or environ.get("http_proxy")
    if proxied and not {container, "*"} & {each.strip() for each in direct}:
        return f"it was created with a proxy, and its NO_PROXY lacks {container}"
    if CERTS not in _config_paths(docker, node):
        return f"its containerd has no config_path with {CERTS}, or cannot be asked for it"
    return ""


def _config_paths(docker: Docker, node: str) -> set[str]:
    """Where a node's containerd looks for mirrors, by its configuration with all it imports."""
    try:
        code, output = docker.engine.execute(node, _DUMP, timeout=_EXEC_SECONDS)
        plugins = tomllib.loads(output).get("plugins", {}) if code == 0 else {}
    except (LocalloopError, tomllib.TOMLDecodeError):
        return set()
    found = set()
    for plugin in PLUGINS:
        path = plugins.get(plugin, {}).get("registry", {}).get("config_path", "")
        found |= set(str(path).split(":"))
    return found
