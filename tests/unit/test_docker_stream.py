"""A command's standard input through Docker's socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localloop.system.docker_stream import feed

UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

Serve = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves one connection on a socket by a function; gives the socket's path."""
    threads = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def start(act: Callable[[socket.socket], None]) -> str:
        path = str(tmp_path / "docker.sock")
        listener.bind(path)
        listener.listen()

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                act(connection)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[0].start()
        return path

    yield start
    for thread in threads:
        thread.join(5)
    listener.close()


def head(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b'"Tty": false}'):
        received += connection.recv(4096)
    return received


def test_what_is_sent_ends_and_the_output_comes_back(serve: Serve) -> None:
    sent: list[bytes] = []

    def act(connection: socket.socket) -> None:
        sent.append(head(connection))
        connection.sendall(UPGRADED + b"first ")
        given = b""
        while chunk := connection.recv(1 << 16):
            given += chunk
        sent.append(given)
        connection.sendall(b"last")

    path = serve(act)
    chunks = (b"x" * 100_000 for _ in range(20))
    assert feed(path, "/v1/exec/1/start", chunks, seconds=5) == b"first last"
    assert sent[0].startswith(b"POST /v1/exec/1/start HTTP/1.1\r\n")
    assert len(sent[1]) == 2_000_000


def test_a_command_that_ends_early_still_says_why(serve: Serve) -> None:
    def act(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(UPGRADED + b"no space")

    path = serve(act)
    try:
        said = feed(path, "/x", (b"x" * 1_000_000 for _ in range(50)), seconds=5)
    except ConnectionResetError:
        return  # the kernel dropped what was not read yet: the exit status tells
    assert said == b"no space"


def test_a_refusal_is_an_error(serve: Serve) -> None:
    def act(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 409 Conflict\r\n\r\nit is paused")

    path = serve(act)
    with pytest.raises(OSError, match="409: it is paused"):
        feed(path, "/x", (), seconds=5)


def test_one_that_never_ends_is_given_up(serve: Serve) -> None:
    ended = threading.Event()

    def act(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(UPGRADED)
        ended.wait(5)

    path = serve(act)
    with pytest.raises(TimeoutError):
        feed(path, "/x", (), seconds=0.3)
    ended.set()
