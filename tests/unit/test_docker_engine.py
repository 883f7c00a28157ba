"""Operations in Docker through the SDK: on a small server, then on the real daemon."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socketserver
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from localloop.build.own_image import ensure_base_image
from localloop.cluster.nodes import put_copies
from localloop.errors import LocalloopError
from localloop.system.docker import Docker
from localloop.system.docker_engine import Engine, _demultiplexed

BASE = "debian:bookworm-slim"


def tar_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


TAGGED = {"Action": "tag", "Actor": {"Attributes": {"name": "r/web:1"}}}
PULLED = b'{"status": "Pulling"}\r\n'
# path without its query and version → status, body, whether it is sent in chunks
ROUTES: dict[str, tuple[int, bytes, bool]] = {
    "GET /version": (200, b'{"ApiVersion": "1.45"}', False),
    "POST /containers/demo/exec": (201, b'{"Id": "e1"}', False),
    "POST /exec/e1/start": (200, frame(1, b"out\n") + frame(2, b"err\n"), False),
    "GET /exec/e1/json": (200, b'{"ExitCode": 3}', False),
    "PUT /containers/demo/archive": (200, b"", False),
    "PUT /containers/full/archive": (500, b'{"message": "no space left on device"}', False),
    "GET /containers/demo/archive": (200, tar_of("f", b"abc"), False),
    "GET /containers/wrong/archive": (200, b"no archive", False),
    "GET /events": (200, json.dumps(TAGGED).encode() + b"\n", True),
    "DELETE /images/127.0.0.1:5001/a/b:c": (200, b"[]", False),
    "DELETE /images/busy": (409, b'{"message": "conflict"}', False),
    "POST /images/create": (200, PULLED, True),
    "GET /info": (200, json.dumps({"DockerRootDir": "/"}).encode(), False),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        server: Any = self.server
        path = self.path.partition("?")[0]
        if path.startswith("/v1."):
            path = path[len("/v1.45") :]
        request = f"{self.command} {path}"
        server.seen.append(request)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(server.delays.get(request, 0))
        status, body, chunked = {**ROUTES, **server.routes}.get(
            request, (404, b'{"message": "No such thing"}', False)
        )
        self.send_response(status)
        if request == "GET /containers/demo/archive":
            self.send_header("X-Docker-Container-Path-Stat", "e30=")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"".join(
                f"{len(line):x}\r\n".encode() + line + b"\r\n"
                for line in body.splitlines(keepends=True)
            )
            body += b"0\r\n\r\n"
        else:
            self.send_header("Content-Length", str(len(body)))
        # Head and body in one write: the output of a quick command arrives with the head.
        self._headers_buffer.append(b"\r\n" + body)  # type: ignore[attr-defined]
        self.flush_headers()

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.seen: list[str] = []
        self.delays: dict[str, float] = {}
        self.routes: dict[str, tuple[int, bytes, bool]] = {}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(str(tmp_path / "docker.sock")) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    made = Engine(str(server.server_address))
    yield made
    made.close()


def test_calls(engine: Engine) -> None:
    assert engine.execute("demo", ["true"]) == (3, "out\nerr\n")
    engine.put_archive("demo", "/", tar_of("f", b"abc"))
    assert engine.read_file("demo", "/dir/f") == b"abc"
    assert engine.read_file("demo", "/dir/g") is None
    assert engine.read_file("other", "/dir/f") is None
    assert engine.was_tagged("r/web:1", time.time() - 5)
    assert not engine.was_tagged("r/web:2", time.time() - 5)
    engine.pull("debian:12", timeout=5)
    assert engine.free_space().endswith("are free in /")


def test_the_socket_is_the_one_that_the_context_names(tmp_path: Path, server: Server) -> None:
    """A context of Docker's client, which the SDK's own from_env does not know."""
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"colima").hexdigest()
    meta.mkdir(parents=True)
    host = {"Endpoints": {"docker": {"Host": f"unix://{server.server_address}"}}}
    (meta / "meta.json").write_text(json.dumps(host))
    (tmp_path / "config.json").write_text('{"currentContext": "colima"}')
    docker = Docker(environ={"DOCKER_CONFIG": str(tmp_path)})
    assert docker.engine.execute("demo", ["true"])[0] == 3
    assert docker.engine is docker.engine
    docker.close()


def test_an_absent_image_counts_as_removed(engine: Engine, server: Server) -> None:
    engine.remove_image("127.0.0.1:5001/a/b:c")
    engine.remove_image("127.0.0.1:5001/a/b:absent")
    assert server.seen[1:] == [
        "DELETE /images/127.0.0.1:5001/a/b:c",
        "DELETE /images/127.0.0.1:5001/a/b:absent",
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.remove_image("busy"), r"refused to remove busy \(409\): conflict"),
        (lambda e: e.put_archive("full", "/", b"x"), r"\(500\): no space left on device"),
        (lambda e: e.execute("gone", ["true"]), r"refused to run true in gone \(404\): No such"),
        (lambda e: e.read_file("wrong", "/f"), "/f in wrong: not a readable tar archive"),
    ],
)
def test_an_error_has_dockers_message(engine: Engine, call: Any, message: str) -> None:
    with pytest.raises(LocalloopError, match=message) as caught:
        call(engine)
    assert caught.value.reason == "docker_error"


def test_a_pull_that_fails_in_a_successful_response(engine: Engine, server: Server) -> None:
    server.routes["POST /images/create"] = (200, PULLED + b'{"error": "toomanyrequests"}\r\n', True)
    with pytest.raises(LocalloopError, match="refused to pull debian:12: toomanyrequests"):
        engine.pull("debian:12", timeout=5)


def test_an_exit_status_that_is_known_a_moment_later(engine: Engine, server: Server) -> None:
    server.routes["GET /exec/e1/json"] = (200, b'{"ExitCode": null}', False)
    threading.Timer(0.2, server.routes.clear).start()
    assert engine.execute("demo", ["true"])[0] == 3


@pytest.mark.parametrize(
    ("request_", "call"),
    [
        ("GET /version", lambda e: e.free_space()),
        ("POST /exec/e1/start", lambda e: e.execute("demo", ["sleep"], timeout=0.2)),
        ("GET /events", lambda e: e.was_tagged("r", 0)),
        ("POST /images/create", lambda e: e.pull("debian:12", timeout=0.2)),
        ("GET /containers/demo/archive", lambda e: e.read_file("demo", "/f")),
    ],
)
def test_a_daemon_that_hangs(server: Server, request_: str, call: Any) -> None:
    """Every request has a timeout: the SDK has none for events, pulls and commands."""
    engine = Engine(str(server.server_address), timeout=0.2)
    server.delays[request_] = 2
    started = time.monotonic()
    with pytest.raises(LocalloopError, match="timed out") as caught:
        call(engine)
    assert caught.value.reason == "docker_unreachable"
    assert time.monotonic() - started < 1.5
    server.delays.clear()
    assert engine.free_space()  # a new connection


def test_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(LocalloopError, match=r"none\.sock: .*No such file") as caught:
        Engine(f"{tmp_path}/none.sock").free_space()
    assert caught.value.reason == "docker_unreachable"
    assert "Start Docker" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"", b""),
        (frame(1, b"out\n"), b"out\n"),
        (frame(1, b"a") + frame(2, b"b") + frame(1, b""), b"ab"),
        (frame(1, b"x" * 70000), b"x" * 70000),
    ],
)
def test_the_output_of_a_command(stream: bytes, said: bytes) -> None:
    assert _demultiplexed(stream) == said


def test_reading_from_docker_does_not_import_the_sdk() -> None:
    code = "import sys; from localloop.system.docker import Docker; Docker();"
    code += "print('docker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# -- the real daemon


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    """A running container of Debian."""
    ensure_base_image(Docker(), BASE, "bookworm", print)
    name = f"localloop-test-{uuid.uuid4().hex[:8]}"
    argv = ["docker", "run", "--detach", "--rm", "--network=none", "--name", name, BASE, "sleep"]
    subprocess.run([*argv, "600"], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)


@pytest.fixture
def docker() -> Iterator[Docker]:
    made = Docker(environ=os.environ)
    yield made
    made.close()


@pytest.mark.docker
def test_commands_and_files_in_a_real_container(docker: Docker, container: str) -> None:
    engine = docker.engine
    assert engine.execute(container, ["sh", "-c", "echo out; echo err >&2; exit 3"])[0] == 3
    # Ends at once: its output arrives with the head of the response.
    assert {engine.execute(container, ["echo", "hello"]) for _ in range(20)} == {(0, "hello\n")}
    assert engine.execute(container, ["head", "-c", "300000", "/dev/zero"])[1] == "\0" * 300000
    content = os.urandom(200_000)
    engine.put_archive(container, "/opt", tar_of("file", content))
    assert engine.read_file(container, "/opt/file") == content
    assert docker.stat_path(container, "/opt/file") is not None
    assert engine.read_file(container, "/opt") is None
    assert engine.read_file(container, "/opt/none") is None
    paths = ["/opt/new/a/hosts.toml", "/opt/new/b/hosts.toml"]
    put_copies(docker, container, paths, b"same")
    assert [docker.read_path(container, path) for path in paths] == [b"same", b"same"]
    assert engine.execute(container, ["stat", "-c", "%a %u", paths[0]]) == (0, "644 0\n")
    assert engine.execute(container, ["stat", "-c", "%a", "/opt/new", "/opt"]) == (0, "755\n755\n")
    with pytest.raises(LocalloopError, match="refused to write to /none"):
        engine.put_archive(container, "/none", tar_of("file", content))
    with pytest.raises(LocalloopError, match="timed out"):
        engine.execute(container, ["sleep", "30"], timeout=0.3)


@pytest.mark.docker
def test_images_of_the_real_daemon(docker: Docker, tmp_path: Path) -> None:
    reference = f"localloop-test/engine:{uuid.uuid4().hex[:8]}"
    archive = tmp_path / "root.tar"
    archive.write_bytes(tar_of("file", b"content"))
    before = time.time()
    docker.engine.import_image(archive, reference, ['CMD ["true"]'], timeout=30)
    found = docker.inspect_image(reference)
    assert found is not None
    assert found["Config"]["Cmd"] == ["true"]
    subprocess.run(["docker", "tag", reference, f"{reference}-b"], check=True)
    assert docker.engine.was_tagged(f"{reference}-b", before)
    assert not docker.engine.was_tagged(f"{reference}-b", time.time())
    for name in (f"{reference}-b", reference, reference):
        docker.engine.remove_image(name)
    assert docker.inspect_image(reference) is None
    with pytest.raises(LocalloopError) as caught:
        docker.engine.pull("127.0.0.1:9/absent:1", timeout=30)
    assert caught.value.reason == "docker_error"
    with pytest.raises(LocalloopError, match="refused to import"):
        archive.write_bytes(b"no archive")
        docker.engine.import_image(archive, reference, [], timeout=30)
