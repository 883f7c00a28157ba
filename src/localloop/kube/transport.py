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

from ..errors import UsageError
from .kubeconfig import Credential, KubeConfig

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
        self._config = config
        self._encrypted = parts.scheme == "https"
        self._tls: tuple[Credential, ssl.SSLContext] | None = None
        self._local = threading.local()

    def connect(self, timeout: float, credential: Credential) -> Connection:
        """A new connection, not opened yet; ``timeout`` in seconds.

        Raises ``UsageError`` (``kubeconfig_invalid``) for a certificate or key that is none.
        """
        tls = None
        if self._encrypted:
            known = self._tls
            if known is None or known[0] != credential:
                known = self._tls = (credential, _tls(self._config, credential))
            tls = known[1]
        address = (self.host, self.port)
        return Connection(address, timeout, self._config, tls=tls, credential=credential)

    def connection(self, timeout: float, credential: Credential) -> tuple[Connection, bool]:
        """This thread's connection with that credential, and whether it has been used before."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.sock is not None:
            if connection.credential == credential and not _readable(connection.sock):
                connection.timeout = timeout
                connection.sock.settimeout(timeout)
                return connection, True
            connection.close()
        connection = self._local.connection = self.connect(timeout, credential)
        return connection, False

    def close(self) -> None:
        """Close this thread's connection."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


class Connection(http.client.HTTPConnection):
    """A connection with a context's proxy and server name, which ``http.client`` does not take.

    ``tls`` is None for plain HTTP; ``credential`` is what it was made with.
    """

    def __init__(
        self,
        address: tuple[str, int],
        timeout: float,
        config: KubeConfig,
        *,
        tls: ssl.SSLContext | None,
        credential: Credential,
    ) -> None:
        super().__init__(*address, timeout=timeout)
        self.credential = credential
        self._tls = tls
        self._server_name = config.server_name or self.host
        self._proxy = config.proxy_url
        self._ca = config.ca_data

    def connect(self) -> None:
        """Open the socket and do the TLS handshake."""
        if self._proxy:
            from .proxy import open_through

            self.sock = open_through(
                self._proxy, self.host, self.port, timeout=self.timeout or 10.0, ca=self._ca
            )
            self.sock.settimeout(self.timeout)
        else:
            super().connect()
        if self._tls is None:
            return
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


def _tls(config: KubeConfig, credential: Credential) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif config.ca_data:
        try:
            context.load_verify_locations(cadata=config.ca_data.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError) as error:
            raise _unusable(config, "certificate-authority") from error
    else:
        context.load_default_certs()
    if credential.cert and credential.key:
        try:
            # OpenSSL loads client certificates from a path only, and asks on the terminal for the
            # password of a key that has one.
            with _readable_path(credential.cert + b"\n" + credential.key) as path:
                context.load_cert_chain(path, password="")
        except (ssl.SSLError, ValueError) as error:
            raise _unusable(config, "client certificate, or its key,") from error
    return context


def _unusable(config: KubeConfig, what: str) -> UsageError:
    return UsageError(
        "kubeconfig_invalid", f"context {config.context!r}: its {what} cannot be used by TLS"
    )


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
