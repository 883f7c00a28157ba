"""A proxy that passes nothing on, and what was asked of it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .outside import docker


@dataclass
class RefusingProxy:
    """Its ``url``, and the hosts that it was asked for; it answers 503 to everything."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def refusing_proxy() -> Iterator[RefusingProxy]:
    """A proxy that this machine, its containers and builds can reach, and nobody else."""
    gateway = docker("network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}")

    class Handler(http.server.BaseHTTPRequestHandler):
        def refuse(self) -> None:
            target = self.path if "://" in self.path else f"//{self.path}"
            proxy.asked.append(urlsplit(target).hostname or self.path)
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = refuse

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer((gateway, 0), Handler) as server:
        proxy = RefusingProxy(f"http://{gateway}:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()
