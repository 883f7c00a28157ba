"""A proxy in front of a registry that counts the uploads of a push."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_BEGIN = re.compile(rb"POST \S+/blobs/uploads/")


class UploadWatch:
    """Forwards every byte between 127.0.0.1:PORT and the registry at ``address``.

    ``on_upload`` is called once, before the first upload begins; ``uploads`` counts all of them.
    """

    def __init__(self, address: str, on_upload: Callable[[], None] | None = None) -> None:
        host, _, port = address.partition(":")
        self._registry = (host, int(port))
        self._on_upload = on_upload
        self.uploads = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._registry)
                for one, other in ((client, server), (server, client)):
                    args = (one, other, one is client)
                    threading.Thread(target=self._pass_on, args=args, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, from_client: bool) -> None:
        with suppress(OSError), one, other:
            while data := one.recv(65536):
                if from_client and (begun := len(_BEGIN.findall(data))):
                    self._tell(begun)
                other.sendall(data)

    def _tell(self, begun: int) -> None:
        with self._lock:
            self.uploads += begun
            act, self._on_upload = self._on_upload, None
            if act:
                act()

    def __enter__(self) -> UploadWatch:
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.close()
