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
from localloop.system.docker import DEFAULT_SOCKET, Docker, _unframed, socket_path


def tar_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
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
            "/containers/demo/start": (204, b""),
            "/images/127.0.0.1:5001/a/b:c": (200, b"[]"),
            "/images/busy": (409, b'{"message": "conflict"}'),
            "/containers/broken/start": (500, b'{"message": "no such network"}'),
            "/containers/demo/archive?path=/f": (200, tar_of("f", b"abc")),
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

    do_GET = do_HEAD = do_POST = do_DELETE = answer

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
    assert docker.read_file("demo", "/f") == b"abc"
    assert docker.read_file("demo", "/g") is None
    docker.start("demo")
    assert docker.calls == len(server.seen) == 9


def test_remove_image_takes_an_absent_one_as_removed_and_names_a_conflict(
    docker: Docker, server: Server
) -> None:
    docker.remove_image("127.0.0.1:5001/a/b:c")
    docker.remove_image("127.0.0.1:5001/a/b:absent")
    assert server.seen == [
        "DELETE /images/127.0.0.1:5001/a/b:c",
        "DELETE /images/127.0.0.1:5001/a/b:absent",
    ]
    with pytest.raises(LocalloopError, match="conflict"):
        docker.remove_image("busy")


def test_a_connection_that_the_daemon_closed_is_opened_again(
    docker: Docker, server: Server
) -> None:
    server.hang_up = True
    for _ in range(3):
        docker.ping()
    assert len(server.seen) == 3


def test_a_refusal_carries_docker_s_words(docker: Docker) -> None:
    with pytest.raises(LocalloopError, match="no such network") as caught:
        docker.start("broken")
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


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"", b""),
        (frame(1, b"out\n"), b"out\n"),
        (frame(1, b"a") + frame(2, b"b") + frame(1, b""), b"ab"),
        (frame(1, b"x" * 70000), b"x" * 70000),
    ],
)
def test_what_a_command_in_a_container_said(stream: bytes, said: bytes) -> None:
    assert _unframed(stream) == said
