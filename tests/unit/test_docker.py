"""The Docker client against a small server on a Unix socket."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from localloop.errors import LocalloopError, UsageError
from localloop.system.docker import Docker
from localloop.system.docker_host import DEFAULT_SOCKET, socket_path


def folder() -> bytes:
    """A folder ``b`` with one file in a folder, as Docker packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        found = tarfile.TarInfo("b/c/d")
        found.size = 3
        made.addfile(found, io.BytesIO(b"one"))
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        server: Any = self.server
        server.seen.append(f"{self.command} {self.path}")
        stat = base64.b64encode(json.dumps({"name": "f", "size": 3}).encode()).decode()
        routes: dict[str, tuple[int, bytes]] = {
            "/_ping": (200, b"OK"),
            "/containers/demo/json": (200, b'{"Id": "1"}'),
            "/images/127.0.0.1:5001/a/b:c/json": (200, b'{"Id": "2"}'),
            "/containers/broken/json": (500, b'{"message": "layer not known"}'),
            "/containers/demo/archive?path=/f": (200, b""),
            "/containers/demo/archive?path=/a/b": (200, folder()),
            "/containers/demo/archive?path=/a/x": (200, b"no archive"),
        }
        status, body = routes.get(self.path, (404, b'{"message": "not found"}'))
        self.send_response(status)
        if self.path.endswith("?path=/f"):
            self.send_header("X-Docker-Container-Path-Stat", stat)
        self.send_header("Content-Length", str(len(body)))
        if server.hang_up:
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = answer

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    hang_up = False

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.seen: list[str] = []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(str(tmp_path / "docker.sock")) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def docker(server: Server) -> Docker:
    return Docker(environ={"DOCKER_HOST": f"unix://{server.server_address}"})


def test_calls(docker: Docker, server: Server) -> None:
    docker.ping()
    assert docker.inspect_container("demo") == {"Id": "1"}
    assert docker.inspect_container("other") is None
    assert docker.inspect_image("127.0.0.1:5001/a/b:c") == {"Id": "2"}
    assert docker.stat_path("demo", "/f") == {"name": "f", "size": 3}
    assert docker.stat_path("demo", "/g") is None
    assert len(server.seen) == 6


def test_a_folder_of_small_files(docker: Docker) -> None:
    assert docker.read_folder("demo", "/a/b") == {"/a/b/c/d": b"one"}
    assert docker.read_folder("demo", "/a/none") == {}
    with pytest.raises(LocalloopError, match="/a/x in demo") as caught:
        docker.read_folder("demo", "/a/x")
    assert caught.value.reason == "docker_error"


def test_reconnects_after_the_daemon_closed_the_connection(docker: Docker, server: Server) -> None:
    server.hang_up = True
    for _ in range(3):
        docker.ping()
    assert len(server.seen) == 3


def test_an_error_has_dockers_message(docker: Docker) -> None:
    with pytest.raises(LocalloopError, match="layer not known") as caught:
        docker.inspect_container("broken")
    assert caught.value.reason == "docker_error"


def test_no_daemon(tmp_path: Path) -> None:
    docker = Docker(environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    with pytest.raises(LocalloopError, match=r"none\.sock") as caught:
        docker.ping()
    assert caught.value.reason == "docker_unreachable"
    assert "Start Docker" in str(caught.value.hint)


def test_a_daemon_that_hangs(tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"
    with socketserver.UnixStreamServer(str(path), socketserver.BaseRequestHandler):
        docker = Docker(environ={"DOCKER_HOST": f"unix://{path}"}, timeout=0.1)
        with pytest.raises(LocalloopError, match="timed out") as caught:
            docker.ping()
    assert caught.value.reason == "docker_unreachable"


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://box", "npipe:////./pipe/x", "x"])
def test_only_unix_sockets(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        socket_path({"DOCKER_HOST": host})
    assert caught.value.reason == "docker_host_refused"


def test_the_current_context_is_used(tmp_path: Path) -> None:
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert socket_path(environ) == DEFAULT_SOCKET
    (tmp_path / "config.json").write_text('{"currentContext": "colima"}')
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"colima").hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"Endpoints": {"docker": {"Host": "unix:///home/me/.colima/docker.sock"}}}
    (meta / "meta.json").write_text(json.dumps(endpoint))
    assert socket_path(environ) == "/home/me/.colima/docker.sock"
    assert socket_path({**environ, "DOCKER_CONTEXT": "default"}) == DEFAULT_SOCKET
    assert socket_path({**environ, "DOCKER_HOST": "unix:///x"}) == "/x"
