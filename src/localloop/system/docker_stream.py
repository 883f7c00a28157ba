"""A command in a container with standard input: a connection to Docker that is taken over.

The Docker SDK has this only by way of private attributes of other libraries.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable
from contextlib import suppress

_READ = 1 << 16
_LARGEST_ANSWER = 1 << 20


def feed(path: str, start: str, chunks: Iterable[bytes], *, seconds: float) -> bytes:
    """Start an exec that was created, give it ``chunks``, and return its output in frames.

    ``path`` is Docker's socket, ``start`` the path of the exec's ``start``. Raises ``OSError``
    (``TimeoutError`` after ``seconds``).
    """
    deadline = time.monotonic() + seconds
    body = json.dumps({"Detach": False, "Tty": False}).encode()
    head = (
        f"POST {start} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _bound(connection, deadline)
        connection.connect(path)
        connection.sendall(head.encode() + body)
        status, rest = _answer(connection, deadline)
        if status not in (101, 200):
            raise OSError(f"Docker answered {status}: {rest[:300].decode(errors='replace')}")
        with suppress(BrokenPipeError, ConnectionResetError):  # it ended early: its output says why
            for chunk in chunks:
                _bound(connection, deadline)
                connection.sendall(chunk)
            connection.shutdown(socket.SHUT_WR)
        output = [rest]
        while chunk := _read(connection, deadline):
            output.append(chunk)
    return b"".join(output)


def _answer(connection: socket.socket, deadline: float) -> tuple[int, bytes]:
    """The status of the response, and what came after its headers."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = _read(connection, deadline)
        if not chunk or len(received) > _LARGEST_ANSWER:
            raise OSError("Docker closed the connection")
        received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), rest


def _read(connection: socket.socket, deadline: float) -> bytes:
    _bound(connection, deadline)
    return connection.recv(_READ)


def _bound(connection: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    connection.settimeout(left)
