"""The Docker Engine's API over its Unix socket: the few calls that the loop makes on every run."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import socket
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import LocalloopError, UsageError

DEFAULT_SOCKET = "/var/run/docker.sock"
TIMEOUT_SECONDS = 5.0
START_HINT = (
    "Start Docker (`make tools` does where no service manager runs, else"
    " `sudo systemctl start docker`), or set DOCKER_HOST=unix:///path/to/docker.sock."
)


class Docker:
    """One kept connection; ``calls`` counts the requests that were made."""

    def __init__(
        self, *, timeout: float = TIMEOUT_SECONDS, environ: Mapping[str, str] | None = None
    ) -> None:
        self.timeout = timeout
        self.calls = 0
        self._environ = os.environ if environ is None else environ
        self._connection: _UnixConnection | None = None

    def ping(self) -> None:
        """Raise ``docker_unreachable`` unless the daemon answers."""
        self._call("GET", "/_ping")

    def wait(self, seconds: float) -> None:
        """Wait until the daemon answers; raise ``docker_unreachable`` where it never does."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.ping()
            except LocalloopError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def version(self) -> dict[str, Any]:
        """The daemon's version (``Version``, ``ApiVersion``, ``Os``, ``Arch``, …)."""
        found: dict[str, Any] = json.loads(self._call("GET", "/version")[1])
        return found

    def free_space(self) -> str:
        """How much is free where the daemon keeps its data, in words."""
        directory = str(json.loads(self._call("GET", "/info")[1])["DockerRootDir"])
        try:
            found = os.statvfs(directory)
        except OSError:
            return f"what is free in {directory} cannot be seen from here"
        return free_of(directory, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def inspect_container(self, name: str) -> dict[str, Any] | None:
        return self._inspect(f"/containers/{quote(name, safe='')}/json")

    def inspect_image(self, reference: str) -> dict[str, Any] | None:
        return self._inspect(f"/images/{quote(reference, safe='/:@')}/json")

    def stat_path(self, container: str, path: str) -> dict[str, Any] | None:
        """``name``, ``size``, ``mode``, ``mtime`` of a file in a container; None if missing."""
        status, _, headers = self._request("HEAD", _archive(container, path))
        if status == 404:
            return None
        _require(status, b"", f"HEAD {path}")
        found: dict[str, Any] = json.loads(b64decode(headers["X-Docker-Container-Path-Stat"]))
        return found

    def read_file(self, container: str, path: str) -> bytes | None:
        """A regular file's content; None if the container or the file is missing."""
        from .archives import ArchiveError, read_member

        status, body, _ = self._request("GET", _archive(container, path))
        if status == 404:
            return None
        _require(status, body, f"GET {path}")
        try:
            return read_member(body, posixpath.basename(path))
        except ArchiveError as error:
            raise LocalloopError("docker_error", f"{container}: {error}") from error

    def put_archive(self, container: str, directory: str, archive: bytes) -> None:
        """Unpack a tar archive into an existing directory of a container."""
        self._call("PUT", _archive(container, directory), body=archive, timeout=300)

    def execute(
        self, container: str, argv: Sequence[str], *, timeout: float = 30
    ) -> tuple[int, str]:
        """Run a command in a container to its end: its exit status, and what it said."""
        name = quote(container, safe="")
        wanted = {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True}
        made = self._call("POST", f"/containers/{name}/exec", body=_json(wanted))[1]
        number = json.loads(made)["Id"]
        said = self._call("POST", f"/exec/{number}/start", body=_json({}), timeout=timeout)[1]
        state = json.loads(self._call("GET", f"/exec/{number}/json")[1])
        return int(state["ExitCode"]), _unframed(said).decode(errors="replace")

    def start(self, container: str, *, timeout: float = 30) -> None:
        """Start a container; one that runs already is left alone."""
        self._call("POST", f"/containers/{quote(container, safe='')}/start", timeout=timeout)

    def restart(self, container: str, *, grace: int = 10, timeout: float = 60) -> None:
        """Stop a container (killed after ``grace`` seconds) and start it again."""
        path = f"/containers/{quote(container, safe='')}/restart?t={grace}"
        self._call("POST", path, timeout=timeout)

    def was_tagged(self, reference: str, since: float) -> bool:
        """Whether an image got that name since then (Unix time), by Docker's own events."""
        wanted = quote(json.dumps({"type": ["image"], "event": ["tag"]}))
        path = f"/events?since={since:.9f}&until={time.time():.9f}&filters={wanted}"
        events = map(json.loads, self._call("GET", path)[1].splitlines())
        return any(event["Actor"]["Attributes"].get("name") == reference for event in events)

    def remove_image(self, reference: str) -> None:
        """Remove a tag, and the image where it was its last one; absent already is as good."""
        path = f"/images/{quote(reference, safe='/:@')}"
        status, body, _ = self._request("DELETE", path, timeout=60)
        if status != 404:
            _require(status, body, f"DELETE {path}")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _inspect(self, path: str) -> dict[str, Any] | None:
        status, body, _ = self._request("GET", path)
        if status == 404:
            return None
        _require(status, body, f"GET {path}")
        found: dict[str, Any] = json.loads(body)
        return found

    def _call(
        self, method: str, path: str, *, body: bytes | None = None, timeout: float | None = None
    ) -> tuple[int, bytes]:
        status, answer, _ = self._request(method, path, body=body, timeout=timeout)
        _require(status, answer, f"{method} {path}")
        return status, answer

    def _request(
        self, method: str, path: str, *, body: bytes | None = None, timeout: float | None = None
    ) -> tuple[int, bytes, HTTPMessage]:
        self.calls += 1
        kept = self._connection is not None
        try:
            response = self._send(method, path, body, timeout)
            answer = response.read()
        except (OSError, HTTPException) as error:
            self.close()
            if kept and method in ("GET", "HEAD") and not isinstance(error, TimeoutError):
                self.calls -= 1
                return self._request(
                    method, path, timeout=timeout
                )  # the daemon closed it meanwhile
            raise _unreachable(socket_path(self._environ), error) from error
        if response.will_close:
            self.close()
        return response.status, answer, response.headers

    def _send(
        self, method: str, path: str, body: bytes | None, timeout: float | None
    ) -> HTTPResponse:
        if self._connection is None:
            self._connection = _UnixConnection(socket_path(self._environ), self.timeout)
            self._connection.connect()
        self._connection.sock.settimeout(self.timeout if timeout is None else timeout)
        headers = {"Host": "docker"}
        if body is not None:
            headers["Content-Type"] = _type_of(path)
        self._connection.request(method, path, body=body, headers=headers)
        return self._connection.getresponse()


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def free_of(directory: str, free: int, size: int) -> str:
    """What is free in a directory, in words; both in bytes."""
    return f"{free / 2**20:.0f} of {size / 2**20:.0f} MiB are free in {directory}"


def socket_path(environ: Mapping[str, str]) -> str:
    """The daemon's socket: DOCKER_HOST, else the client's current context, else the default."""
    host, source = environ.get("DOCKER_HOST", ""), "DOCKER_HOST"
    if not host:
        host, source = _context_host(environ)
    if not host:
        return DEFAULT_SOCKET
    scheme, _, path = host.partition("://")
    if scheme == "unix" and path.startswith("/"):
        return path
    raise UsageError(
        "docker_host_refused",
        f"Docker is at {host!r}; localloop talks to a local Unix socket only",
        where=source,
        hint="Use DOCKER_HOST=unix:///var/run/docker.sock, or `docker context use default`.",
    )


def _context_host(environ: Mapping[str, str]) -> tuple[str, str]:
    """The endpoint of the docker client's current context, and where it is configured."""
    home = environ.get("HOME") or str(Path.home())
    config = Path(environ.get("DOCKER_CONFIG") or f"{home}/.docker")
    name = environ.get("DOCKER_CONTEXT", "")
    if not name:
        name = str(_read_json(config / "config.json").get("currentContext", ""))
    if name in ("", "default"):
        return "", ""
    folder = hashlib.sha256(name.encode()).hexdigest()
    meta = _read_json(config / "contexts" / "meta" / folder / "meta.json")
    host = meta.get("Endpoints", {}).get("docker", {}).get("Host", "")
    return str(host), f"docker context {name!r}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _archive(container: str, path: str) -> str:
    return f"/containers/{quote(container, safe='')}/archive?path={quote(path, safe='/')}"


def _type_of(path: str) -> str:
    return "application/x-tar" if "/archive?" in path else "application/json"


def _json(data: Any) -> bytes:
    return json.dumps(data).encode()


def _unframed(stream: bytes) -> bytes:
    """Both outputs of a command without a terminal: frames of type, length (big-endian), bytes."""
    said, offset = b"", 0
    while offset + 8 <= len(stream):
        size = int.from_bytes(stream[offset + 4 : offset + 8], "big")
        said += stream[offset + 8 : offset + 8 + size]
        offset += 8 + size
    return said


def _require(status: int, body: bytes, what: str) -> None:
    if status < 400:
        return
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = body.decode(errors="replace")[:300]
    raise LocalloopError("docker_error", f"Docker refused {what} ({status}): {message}")


def _unreachable(path: str, error: Exception) -> LocalloopError:
    hint = START_HINT
    if isinstance(error, PermissionError):
        hint = f"Allow this user to use {path} (group docker), or run as root."
    return LocalloopError(
        "docker_unreachable",
        f"Docker does not answer on {path}: {error or type(error).__name__}",
        hint=hint,
    )


DOCKER_HINT = "Install Docker with its buildx plugin, or run `make tools` on Debian."
