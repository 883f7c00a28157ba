"""A connection through the proxy that a kubeconfig names: HTTP, HTTPS or SOCKS5."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
import threading
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"http": 80, "https": 443, "socks5": 1080}
_HEAD_BYTES = 1 << 16
_SOCKS_ERRORS = {
    1: "it failed",
    2: "its rules forbid that",
    3: "the network is unreachable",
    4: "the host is unreachable",
    5: "the connection was refused",
}


class ProxyError(OSError):
    """The proxy did not connect us; the text has its host, never its password."""


def open_through(
    proxy_url: str, host: str, port: int, *, timeout: float, ca: bytes | None = None
) -> socket.socket:
    """A socket on which the proxy passes everything on to a host and port.

    ``timeout`` (seconds) is for each step; ``ca`` (PEM) may have signed an HTTPS proxy as well as
    the system's CAs. Names are resolved by the proxy. Raises ``OSError``.
    """
    proxy = urlsplit(proxy_url)
    address = (proxy.hostname or "", proxy.port or _PORTS[proxy.scheme])
    try:
        opened = socket.create_connection(address, timeout)
    except OSError as error:
        raise _failed(proxy, str(error)) from error
    try:
        if proxy.scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_default_certs()
            if ca:
                context.load_verify_locations(cadata=ca.decode("ascii", "ignore"))
            opened = tls = context.wrap_socket(opened, server_hostname=address[0])
            _ask_http(tls, proxy, host, port)
            return _relayed(tls)
        ask = _ask_http if proxy.scheme == "http" else _ask_socks
        ask(opened, proxy, host, port)
        return opened
    except BaseException as error:
        opened.close()
        if isinstance(error, OSError) and not isinstance(error, ProxyError | TimeoutError):
            raise _failed(proxy, str(error)) from error
        raise


def _ask_http(opened: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    head = f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n"
    user, password = _user(proxy)
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        head += f"Proxy-Authorization: Basic {pair}\r\n"
    opened.sendall(f"{head}\r\n".encode("latin-1", "replace"))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = opened.recv(1)  # what comes after the head is the API server's
        if not byte or len(answer) > _HEAD_BYTES:
            raise _failed(proxy, "it closed the connection" if not byte else "it did not answer")
        answer += byte
    status = answer.split(b"\r\n")[0].decode("latin-1")
    code = status.split(" ", 2)[1:2]
    if not status.startswith("HTTP/1.") or code[:1] != ["200"]:
        raise _failed(proxy, f"it answered {status[:100]!r}")


def _ask_socks(opened: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    user, password = (text.encode() for text in _user(proxy))
    opened.sendall(b"\x05\x01\x02" if user else b"\x05\x01\x00")
    version, method = _read(opened, 2, proxy)
    if version != 5 or method not in (0, 2) or (method == 2 and not user):
        raise _failed(proxy, "it is no SOCKS5 proxy, or wants another way to log in")
    if method == 2:
        login = bytes((1, len(user))) + user + bytes((len(password),)) + password
        opened.sendall(login)
        if _read(opened, 2, proxy)[1]:
            raise _failed(proxy, "it refused the user or the password")
    opened.sendall(b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2, "big"))
    _, status, _, kind = _read(opened, 4, proxy)
    if status:
        raise _failed(proxy, _SOCKS_ERRORS.get(status, f"it answered {status}"))
    _read(opened, {1: 4, 4: 16}.get(kind) or _read(opened, 1, proxy)[0], proxy)
    _read(opened, 2, proxy)


def _socks_address(host: str) -> bytes:
    for kind, family in ((b"\x01", socket.AF_INET), (b"\x04", socket.AF_INET6)):
        with contextlib.suppress(OSError):
            return kind + socket.inet_pton(family, host)
    name = host.encode("idna")
    return bytes((3, len(name))) + name


def _read(opened: socket.socket, count: int, proxy: SplitResult) -> bytes:
    found = b""
    while len(found) < count:
        part = opened.recv(count - len(found))
        if not part:
            raise _failed(proxy, "it closed the connection")
        found += part
    return found


def _relayed(tls: ssl.SSLSocket) -> socket.socket:
    """A plain socket that stands for a TLS connection: Python has no TLS inside TLS."""
    ours, theirs = socket.socketpair()

    def pass_on() -> None:
        with contextlib.suppress(OSError), tls, theirs:
            tls.settimeout(None)
            while True:
                ready = [tls] if tls.pending() else select.select([tls, theirs], [], [])[0]
                for source, target in ((tls, theirs), (theirs, tls)):
                    if source in ready:
                        part = source.recv(1 << 14)
                        if not part:
                            return
                        target.sendall(part)

    threading.Thread(target=pass_on, name="proxy", daemon=True).start()
    return ours


def _user(proxy: SplitResult) -> tuple[str, str]:
    return unquote(proxy.username or "")[:255], unquote(proxy.password or "")[:255]


def _failed(proxy: SplitResult, why: str) -> ProxyError:
    return ProxyError(f"proxy {proxy.scheme}://{proxy.hostname}:{proxy.port}: {why}")
