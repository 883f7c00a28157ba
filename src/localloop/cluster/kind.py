"""The ``kind`` command: create and delete a cluster, read its kubeconfig."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import LocalloopError, UsageError
from ..system import tools
from ..system.docker_host import socket_path
from ..system.environ import for_containers
from ..system.host import KIND_MINIMUM, parse_version
from ..system.paths import unwritable
from .registry_state import registry_container
from .state import kubeconfig_path

KIND_HINT = "Install kind 0.33 or newer: `make tools`, or `go install sigs.k8s.io/kind@v0.33.0`."
CREATE_SECONDS = 600.0
DELETE_SECONDS = 120.0
LOAD_SECONDS = 300.0
SHORT_SECONDS = 30.0

Say = Callable[[str], None]

# These change which clusters kind sees, or where it creates them.
_UNSET = ("KUBECONFIG", "DOCKER_CONTEXT")
_TAKEN = re.compile(
    r"Bind for (\S+) failed: port is already allocated"
    r"|listen \w+ (\S+): bind: address already in use"
    r"|address already in use"
)
_LAST_LINES = 12


def require_kind() -> str:
    """The path of a usable kind; ``UsageError`` (``tool_missing``, ``tool_too_old:kind``) else."""
    try:
        path = tools.find("kind", hint=KIND_HINT)
    except LocalloopError as error:
        raise UsageError("tool_missing", error.message, hint=error.hint) from error
    said = tools.run([path, "version"], timeout=SHORT_SECONDS).stdout.strip()
    if parse_version(said) < KIND_MINIMUM:
        raise UsageError(
            "tool_too_old:kind", f"{path} is {said or 'of no version'}", hint=KIND_HINT
        )
    return path


def create(name: str, config: Path, image: str, *, say: Say, environ: Mapping[str, str]) -> None:
    """Create a cluster from a kind configuration, with our kubeconfig; nodes may not be Ready yet.

    Raises ``LocalloopError``: ``port_taken``, ``kind_failed``, ``tool_timeout``.
    """
    argv = [require_kind(), "create", "cluster", "--name", name, "--config", str(config)]
    forget_kubeconfig(name)
    argv += ["--image", image, "--kubeconfig", str(kubeconfig_path(name)), "--wait", "0s"]
    done = tools.run(
        argv,
        timeout=CREATE_SECONDS,
        env=child_environ(environ, name),
        on_stderr_line=lambda line: say(_step(line)) if _step(line) else None,
    )
    if done.returncode == 0:
        return
    taken = taken_port(done.stderr)
    if taken:
        raise LocalloopError(
            "port_taken",
            f"cluster {name} was not created: a port that it publishes is taken ({taken})",
            hint="Stop what listens there, or change `cluster.ports` in localloop.yml.",
        )
    raise LocalloopError(
        "kind_failed",
        f"kind could not create cluster {name}{_killed(done.returncode)}:\n" + _last(done.stderr),
        hint=f"The whole output: kind create cluster --retain --name {name} --config {config}"
        f" --image {image}; then `kind export logs --name {name}`.",
    )


def taken_port(said: str) -> str:
    """The address whose port Docker says is taken; empty if that is not what it says."""
    found = _TAKEN.search(said)
    return next(filter(None, found.groups()), "address already in use") if found else ""


def delete(name: str, *, environ: Mapping[str, str]) -> None:
    """Delete a cluster's nodes, whole or half made. Raises ``kind_failed``, ``tool_timeout``."""
    argv = [require_kind(), "delete", "cluster", "--name", name]
    forget_kubeconfig(name)
    argv += ["--kubeconfig", str(kubeconfig_path(name))]
    done = tools.run(argv, timeout=DELETE_SECONDS, env=child_environ(environ, name))
    if done.returncode:
        raise LocalloopError(
            "kind_failed",
            f"kind could not delete cluster {name}:\n" + _last(done.stderr),
            hint="Look at its containers: docker ps -a --filter"
            f" label=io.x-k8s.kind.cluster={name}",
        )


def load_archive(name: str, node: str, archive: Path, *, environ: Mapping[str, str]) -> None:
    """Have kind import an archive into a node, in the way that kind knows for its nodes.

    Raises ``LocalloopError``: ``tool_missing``, ``tool_too_old:kind``, ``kind_failed``,
    ``tool_timeout``.
    """
    argv = [require_kind(), "load", "image-archive", str(archive), "--name", name, "--nodes", node]
    done = tools.run(argv, timeout=LOAD_SECONDS, env=child_environ(environ, name))
    if done.returncode:
        raise LocalloopError("kind_failed", f"kind load image-archive: {_last(done.stderr)}")


def read_kubeconfig(name: str, *, environ: Mapping[str, str]) -> bytes:
    """The kubeconfig of a running cluster, for use from this host. Raises
    ``kubeconfig_missing``."""
    argv = [require_kind(), "get", "kubeconfig", "--name", name]
    done = tools.run(argv, timeout=SHORT_SECONDS, env=child_environ(environ, name))
    if done.returncode:
        raise LocalloopError(
            "kubeconfig_missing",
            f"kind has no kubeconfig of cluster {name}: {_last(done.stderr)}",
            hint=f"See `docker logs {name}-control-plane`,"
            " then recreate the cluster: `localloop bootstrap --recreate --force`.",
        )
    return f"{done.stdout.rstrip()}\n".encode()  # as `kind create` writes it


def forget_kubeconfig(name: str) -> None:
    """Remove our kubeconfig, and the lock that a kind which was killed leaves beside it.

    Raises ``LocalloopError`` (``state_unwritable``).
    """
    path = kubeconfig_path(name)
    for each in (path, path.with_name(f"{path.name}.lock")):
        try:
            each.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(each, error) from error


def child_environ(environ: Mapping[str, str], name: str) -> dict[str, str]:
    """What kind's process gets: our Docker daemon, none of kind's own variables.

    kind hands the proxy's variables to the nodes, with its own additions to NO_PROXY. Ours names
    the registry.
    """
    proxies = for_containers(environ, [registry_container(name)])
    kept = {
        key: value
        for key, value in environ.items()
        if not key.startswith("KIND_") and key not in _UNSET and not key.upper().endswith("_PROXY")
    }
    return {**kept, **proxies, "DOCKER_HOST": f"unix://{socket_path(environ)}"}


def _step(line: str) -> str:
    """What a line of kind's progress says, without its marks and pictures; empty for all else."""
    text = line.strip()
    return text.encode("ascii", "ignore").decode().strip(" .") if text[:1] in "•✗" else ""


def _killed(code: int) -> str:
    return f" (it was killed by signal {-code})" if code < 0 else ""


def _last(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    errors = [index for index, line in enumerate(lines) if line.startswith("ERROR:")]
    begin = errors[0] if errors else max(0, len(lines) - _LAST_LINES)
    return "\n".join(lines[begin : begin + _LAST_LINES])
