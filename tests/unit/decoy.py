"""An API server over TLS that notes whatever reaches it, and the certificates that it knows.

``everywhere`` makes it the only server of the world: whatever address is dialled, it is there. So a
refusal that asks even once is seen.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

NAMES = ("decoy.test", "prod.example.com", "localhost")
ADDRESSES = ("127.0.0.1", "::1", "10.20.0.4", "192.168.50.2", "203.0.113.7", "2001:db8::7")
ROOT = "kube-system"
_IGNORE_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: like an API server, it answers 401 itself


class Authority:
    """A CA; ``pem`` is its certificate."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        usage = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = self._sign(self._name, self._key, usage, days=1)
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, name: str, *, days: int = 1, server: bool = False, password: bytes = b""
    ) -> tuple[bytes, bytes]:
        """A certificate and its key, both PEM; with negative ``days`` it has run out."""
        key = ec.generate_private_key(ec.SECP256R1())
        known = [x509.DNSName(each) for each in NAMES] + [
            x509.IPAddress(ipaddress.ip_address(each)) for each in ADDRESSES
        ]
        extension = x509.SubjectAlternativeName(known if server else [x509.DNSName(name)])
        found = self._sign(_name(name), key, extension, days)
        return found.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption(),
        )

    def _sign(self, name: x509.Name, key: Any, extension: Any, days: int) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )


class Decoy:
    """``uid`` is its identity; a request is ``METHOD PATH as WHO``.

    WHO is a token, the name in a certificate, both, or ``nobody``. Tokens in ``refused`` and
    certificates that have run out are answered with 401. ``connections`` counts whoever came.
    """

    def __init__(self, authority: Authority, *, days: int = 1) -> None:
        self.uid = "uid-decoy"
        self.refused: set[str] = set()
        self.requests: list[str] = []
        self.connections = 0
        certificate, key = authority.issue("decoy", days=days, server=True)
        decoy = self

        class Handler(_Handler):
            of = decoy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.decoy = self
        with _file(certificate + key) as path:
            self._server.tls.load_cert_chain(path)
        self._server.tls.load_verify_locations(cadata=authority.pem.decode())
        self._server.tls.verify_mode = ssl.CERT_OPTIONAL
        self._server.tls.verify_flags |= _IGNORE_TIME
        self.port = self._server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Decoy:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def everywhere(self, monkeypatch: pytest.MonkeyPatch, *others: int) -> None:
        """Be at every address, save at the ports ``others`` of this machine."""
        dial = socket.create_connection

        def redirected(address: tuple[str, int], *rest: Any, **more: Any) -> socket.socket:
            here = address[0] == "127.0.0.1" and address[1] in others
            return dial(address if here else ("127.0.0.1", self.port), *rest, **more)

        monkeypatch.setattr(socket, "create_connection", redirected)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext
    decoy: Decoy

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = super().get_request()
        self.decoy.connections += 1
        return self.tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), (
            address
        )

    def handle_error(self, *_: Any) -> None:
        return


class _Handler(BaseHTTPRequestHandler):
    of: Decoy
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(OSError):
            self.connection.do_handshake()
            super().handle()

    def do_GET(self) -> None:
        peer = self.connection.getpeercert() or {}
        names = [value for part in peer.get("subject", ()) for _, value in part]
        header = self.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ")
        who = " and ".join(filter(None, [token, *names])) or "nobody"
        actor = self.headers.get("Impersonate-User")
        self.of.requests.append(
            f"{self.command} {self.path} as {who}{f' for {actor}' if actor else ''}"
        )
        late = peer and ssl.cert_time_to_seconds(peer["notAfter"]) < datetime.now(UTC).timestamp()
        if token in self.of.refused or late:
            self.answer(401, {"kind": "Status", "reason": "Unauthorized", "message": "no"})
        else:
            self.answer(200, {"kind": "Namespace", "metadata": {"name": ROOT, "uid": self.of.uid}})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


class Proxy:
    """A proxy, ``http`` or ``socks5``, that passes everything on to a port of this machine.

    ``asked`` is what it was asked to connect to and by whom; ``answer`` what an HTTP proxy says;
    with ``tls`` it is an HTTPS proxy.
    """

    def __init__(
        self, scheme: str, port: int, *, answer: str = "200 OK", tls: ssl.SSLContext | None = None
    ) -> None:
        self._tls = tls
        self.asked: list[str] = []
        self._target = ("127.0.0.1", port)
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._greet = {"http": self._http, "socks5": self._socks}[scheme]

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._tls:
                    client = self._tls.wrap_socket(client, server_side=True)
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if not self._greet(client):
                return
            plain = socket.socket()
            with plain:
                plain.connect(self._target)
                back = threading.Thread(target=_copy, args=(plain, client), daemon=True)
                back.start()
                _copy(client, plain)

    def _http(self, client: socket.socket) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        lines = head.decode().split("\r\n")
        user = [line.split(" ")[2] for line in lines if line.startswith("Proxy-Authorization")]
        who = f" as {base64.b64decode(user[0]).decode()}" if user else ""
        self.asked.append(" ".join(lines[0].split(" ")[:2]) + who)
        client.sendall(f"HTTP/1.1 {self._answer}\r\nX: y\r\n\r\n".encode())
        return self._answer.startswith("200")

    def _socks(self, client: socket.socket) -> bool:
        _, count = client.recv(2)
        user = 2 in client.recv(count)
        client.sendall(b"\x05\x02" if user else b"\x05\x00")
        who = ""
        if user:
            _, size = client.recv(2)
            name = client.recv(size)
            who = f" as {name.decode()}:{client.recv(client.recv(1)[0]).decode()}"
            client.sendall(b"\x01\x00")
        kind = client.recv(4)[3]
        host = client.recv(client.recv(1)[0]).decode() if kind == 3 else ""
        if kind != 3:
            host = str(ipaddress.ip_address(client.recv(4 if kind == 1 else 16)))
        self.asked.append(f"SOCKS {host}:{int.from_bytes(client.recv(2), 'big')}{who}")
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        return True


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(1 << 14):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield str(Path(file.name))
