"""The Docker Engine API over its Unix socket: the few read-only requests that every run makes.

They need no heavy import. ``Docker.engine`` has the operations that change something.
"""

from __future__ import annotations

import json
import os
import socket
import time
from base64 import b64decode
from collections.abc import Mapping
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ..errors import LocalloopError
from .docker_host import socket_path, unreachable

if TYPE_CHECKING:
    from .docker_engine import Engine

TIMEOUT_SECONDS = 5.0


class Docker:
    """A client with one keep-alive connection, opened by the first request.

    ``timeout`` is in seconds and applies to each request. Every method raises
    ``docker_unreachable`` if the daemon does not answer, ``docker_error`` if it answers with an
    error, and ``docker_host_refused`` if it is not at a local Unix socket.
    """

    def __init__(
        self, *, timeout: float = TIMEOUT_SECONDS, environ: Mapping[str, str] | None = None
    ) -> None:
        self.timeout = timeout
        self._environ = os.environ if environ is None else environ
        self._connection: _UnixConnection | None = None

    @cached_property
    def engine(self) -> Engine:
        """The operations that change something in this daemon; imports the Docker SDK."""
        from .docker_engine import Engine

        return Engine(socket_path(self._environ))

    def ping(self) -> None:
        """Check that the daemon answers."""
        self._get("/_ping")

    def wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` until the daemon answers; then raise ``docker_unreachable``."""
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
        found: dict[str, Any] = json.loads(self._get("/version"))
        return found

    def info(self) -> dict[str, Any]:
        """What ``docker info`` shows of the daemon (``SecurityOptions``, ``CgroupVersion``, …)."""
        found: dict[str, Any] = json.loads(self._get("/info"))
        return found

    def containers(self, filters: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        """What ``docker ps --all`` knows of the containers that match; the newest first."""
        query = urlencode({"all": "1", "filters": json.dumps(filters)})
        found: list[dict[str, Any]] = json.loads(self._get(f"/containers/json?{query}"))
        return found

    def has_labelled(self, label: str) -> bool:
        """Whether any container, volume or network carries a label (``KEY=VALUE``)."""
        if self.containers({"label": [label]}):
            return True
        query = urlencode({"filters": json.dumps({"label": [label]})})
        volumes = json.loads(self._get(f"/volumes?{query}")).get("Volumes")
        return bool(volumes or json.loads(self._get(f"/networks?{query}")))

    def inspect_container(self, name: str) -> dict[str, Any] | None:
        """What ``docker inspect`` shows of a container; None if it does not exist."""
        return self._inspect(f"/containers/{quote(name, safe='')}/json")

    def inspect_image(self, reference: str) -> dict[str, Any] | None:
        """What ``docker inspect`` shows of an image; None if it does not exist."""
        return self._inspect(f"/images/{quote(reference, safe='/:@')}/json")

    def image_names(self) -> frozenset[str]:
        """The names of all images, by tag and by digest."""
        found: list[dict[str, Any]] = json.loads(self._get("/images/json"))
        keys = ("RepoTags", "RepoDigests")
        return frozenset(str(name) for each in found for key in keys for name in each[key] or ())

    def inspect_network(self, name: str) -> dict[str, Any] | None:
        """What ``docker network inspect`` shows of a network; None if it does not exist."""
        return self._inspect(f"/networks/{quote(name, safe='')}")

    def stat_path(self, container: str, path: str) -> dict[str, Any] | None:
        """``name``, ``size``, ``mode``, ``mtime`` of a file in a container; None if missing."""
        status, _, headers = self._request("HEAD", _archive(container, path))
        if status == 404:
            return None
        _require(status, b"", f"HEAD {path}")
        found: dict[str, Any] = json.loads(b64decode(headers["X-Docker-Container-Path-Stat"]))
        return found

    def read_path(self, container: str, path: str) -> bytes | None:
        """The content of a small regular file in a container, running or not; None if missing."""
        from .archives import ArchiveError, read_member

        status, body, _ = self._request("GET", _archive(container, path))
        if status == 404:
            return None
        _require(status, body, f"GET {path}")
        try:
            return read_member(body, path.rpartition("/")[2])
        except ArchiveError:
            return None

    def read_folder(self, container: str, path: str) -> dict[str, bytes]:
        """The content of each regular file below a folder of small files, by its absolute path.

        Empty if there is no such folder. Links are not followed.
        """
        from .archives import ArchiveError, read_members

        status, body, _ = self._request("GET", _archive(container, path))
        if status == 404:
            return {}
        _require(status, body, f"GET {path}")
        try:
            found = read_members(body)
        except ArchiveError as error:
            raise LocalloopError("docker_error", f"{path} in {container}: {error}") from error
        above = path.rstrip("/").rpartition("/")[0]
        return {f"{above}/{name}": content for name, content in found.items()}

    def close(self) -> None:
        """Close the connections; the next call connects again."""
        self._drop()
        if "engine" in vars(self):
            self.engine.close()

    def _inspect(self, path: str) -> dict[str, Any] | None:
        status, body, _ = self._request("GET", path)
        if status == 404:
            return None
        _require(status, body, f"GET {path}")
        found: dict[str, Any] = json.loads(body)
        return found

    def _get(self, path: str) -> bytes:
        status, answer, _ = self._request("GET", path)
        _require(status, answer, f"GET {path}")
        return answer

    def _request(self, method: str, path: str) -> tuple[int, bytes, HTTPMessage]:
        reused = self._connection is not None
        try:
            response = self._send(method, path)
            answer = response.read()
        except (OSError, HTTPException) as error:
            self._drop()
            if reused and not isinstance(error, TimeoutError):  # it was idle: the daemon closed it
                return self._request(method, path)
            raise unreachable(socket_path(self._environ), error) from error
        if response.will_close:
            self._drop()
        return response.status, answer, response.headers

    def _send(self, method: str, path: str) -> HTTPResponse:
        if self._connection is None:
            self._connection = _UnixConnection(socket_path(self._environ), self.timeout)
            self._connection.connect()
        self._connection.request(method, path, headers={"Host": "docker"})
        return self._connection.getresponse()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _archive(container: str, path: str) -> str:
    return f"/containers/{quote(container, safe='')}/archive?path={quote(path, safe='/')}"


def _require(status: int, body: bytes, what: str) -> None:
    if status < 400:
        return
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = body.decode(errors="replace")[:300]
    raise LocalloopError("docker_error", f"Docker refused {what} ({status}): {message}")
