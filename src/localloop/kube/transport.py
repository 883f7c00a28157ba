"""HTTP connections to one API server: TLS is set up once, and each thread reuses its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from .kubeconfig import KubeConfig

CONNECTION_LOST = (
    http.client.RemoteDisconnected,
    http.client.BadStatusLine,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
"""What a reused connection raises if the server has closed it."""


class Transport:
    """Opens and reuses connections to the server of a kubeconfig context."""

    def __init__(self, config: KubeConfig) -> None:
        parts = urlsplit(config.server)
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.prefix = parts.path.rstrip("/")
        self._server_name = config.server_name or self.host
        self._tls = _tls(config) if parts.scheme == "https" else None
        self._local = threading.local()

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """A new connection, not opened yet; ``timeout`` in seconds."""
        if self._tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        return _TLSConnection(self.host, self.port, timeout, self._tls, self._server_name)

    def connection(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        """This thread's connection, and whether it has been used before."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.sock is not None:
            if not _readable(connection.sock):
                connection.timeout = timeout
                connection.sock.settimeout(timeout)
                return connection, True
            connection.close()
        connection = self._local.connection = self.connect(timeout)
        return connection, False

    def close(self) -> None:
        """Close this thread's connection."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


class _TLSConnection(http.client.HTTPConnection):
    """HTTPS with our own TLS context and server name, which ``http.client`` does not take."""

    def __init__(
        self, host: str, port: int, timeout: float, context: ssl.SSLContext, server_name: str
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self._tls = context
        self._server_name = server_name

    def connect(self) -> None:
        """Open the socket and do the TLS handshake."""
        super().connect()
        plain = self.sock
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self._server_name)
        except BaseException:
            plain.close()
            raise


def shut_down(connection_socket: socket.socket) -> None:
    """End the stream for a thread that reads from this socket."""
    with contextlib.suppress(OSError):
        # Not SSLSocket.shutdown: it would drop the TLS state that the reader still uses.
        socket.socket.shutdown(connection_socket, socket.SHUT_RDWR)


def _readable(connection_socket: socket.socket) -> bool:
    # Nothing is expected between two requests: readable means closed by the server.
    try:
        return bool(select.select([connection_socket], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _tls(config: KubeConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif config.ca_data:
        context.load_verify_locations(cadata=config.ca_data.decode("ascii", "ignore"))
    else:
        context.load_default_certs()
    if config.client_cert and config.client_key:
        # OpenSSL loads client certificates from a path only.
        with _readable_path(config.client_cert + b"\n" + config.client_key) as path:
            context.load_cert_chain(path)
    return context


@contextlib.contextmanager
def _readable_path(content: bytes) -> Iterator[str]:
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("localloop")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    import tempfile

    descriptor, path = tempfile.mkstemp(prefix="localloop-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield path
    finally:
        Path(path).unlink()
