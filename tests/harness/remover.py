"""Removes images as soon as they are named."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from typing import Any

from localloop.errors import LocalloopError
from localloop.system.docker import Docker


class Remover:
    """Removes the next ``times`` images that the daemon at ``host`` names."""

    def __init__(self, host: str, *, times: int) -> None:
        self._docker = Docker(environ={"DOCKER_HOST": host})
        self._docker.engine.free_space()  # connected: no race is lost by importing the SDK
        self._left = times
        self._events = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._events.connect(host.removeprefix("unix://"))
        self._events.sendall(b"GET /events HTTP/1.0\r\nHost: docker\r\n\r\n")
        self._stream = self._events.makefile("rb")
        while self._stream.readline().strip():  # the answer's head: from now on nothing is missed
            pass
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        for line in self._stream:
            with suppress(ValueError):  # the length of a chunk
                event = json.loads(line)
                if isinstance(event, dict) and event.get("Action") == "tag" and self._left:
                    self._left -= 1
                    with suppress(LocalloopError):  # it is being pushed, or gone
                        self._docker.engine.remove_image(event["Actor"]["Attributes"]["name"])

    def __enter__(self) -> Remover:
        return self

    def __exit__(self, *_: Any) -> None:
        self._events.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._events.close()
        self._docker.close()
