"""A watch: a streamed response with one JSON event per line."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator

from .errors import ApiError, unreachable
from .objects import Object
from .transport import CONNECTION_LOST, shut_down


class WatchStream(Iterator[tuple[str, Object]]):
    """Iterates over (type, object) until the server ends the stream or ``close()`` is called."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        plain: socket.socket,
        answer: http.client.HTTPResponse,
        server: str,
        api_version_and_kind: tuple[str, str],
    ) -> None:
        self._connection = connection
        self._socket = plain
        self._answer = answer
        self._server = server
        self._type = api_version_and_kind
        self._buffer = b""
        self._closed = threading.Event()

    def __iter__(self) -> WatchStream:
        return self

    def __next__(self) -> tuple[str, Object]:
        line = self._line()
        if line is None:
            self._release()
            raise StopIteration
        event = json.loads(line)
        obj: Object = event["object"]
        if event["type"] == "ERROR":
            self._release()
            raise ApiError(
                int(obj.get("code") or 500),
                str(obj.get("reason") or ""),
                str(obj.get("message") or "the watch failed"),
            )
        obj["apiVersion"], obj["kind"] = self._type
        return event["type"], obj

    def close(self) -> None:
        """End the stream, from any thread."""
        self._closed.set()
        shut_down(self._socket)

    def _line(self) -> bytes | None:
        while True:
            line, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                if line.strip():
                    return line
                continue
            try:
                chunk = self._answer.read1(1 << 16)
            except (*CONNECTION_LOST, http.client.IncompleteRead, ValueError):
                return None  # an incomplete line is dropped: the next watch sends the event again
            except OSError as error:
                self._release()
                if self._closed.is_set():
                    return None
                raise unreachable(self._server, str(error) or "timed out") from error
            if not chunk:
                return None
            self._buffer += chunk

    def _release(self) -> None:
        self._answer.close()
        self._connection.close()
