"""Proxies of a kubeconfig: what they are told, and how they fail."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from decoy import Authority, Decoy, Proxy
from hypothesis import given
from hypothesis import strategies as st

from localloop.kube.client import ApiUnreachable, Kube
from localloop.kube.kubeconfig import KubeConfig
from localloop.kube.proxy import ProxyError, open_through


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("proxy CA")


def test_an_https_proxy(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("proxy", server=True)
    (tmp_path / "proxy.pem").write_bytes(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "proxy.pem")
    with Decoy(authority) as decoy, Proxy("http", decoy.port, tls=tls) as proxy:
        url = f"https://localhost:{proxy.port}"
        config = KubeConfig("x", "https://10.20.0.4", ca_data=authority.pem, proxy_url=url)
        kube = Kube(config, timeout=5)
        for _ in range(3):
            assert kube.get("/a")
        assert decoy.connections == 1
        assert proxy.asked == ["CONNECT 10.20.0.4:443"]
        kube.close()
        other = KubeConfig("x", "https://10.20.0.4", proxy_url=url)
        with pytest.raises(ApiUnreachable):
            Kube(other, timeout=5).get("/a")
        assert decoy.connections == 1


def test_plain_http_goes_through_as_well() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with listening(answer) as target, Proxy("socks5", target) as proxy:
        url = f"socks5://127.0.0.1:{proxy.port}"
        kube = Kube(KubeConfig("x", "http://prod.example.com:8001", proxy_url=url), timeout=5)
        assert kube.get("/a") == {}
        assert proxy.asked == ["SOCKS prod.example.com:8001"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("answer", [b"", b"rubbish\r\n\r\n" + b"x" * 600, b"\xff" * 600])
def test_what_is_no_proxy(scheme: str, answer: bytes) -> None:
    with listening(answer) as port, pytest.raises(ProxyError) as caught:
        open_through(f"{scheme}://u:hunter2@127.0.0.1:{port}", "h", 1, timeout=2)
    assert f"{scheme}://127.0.0.1:{port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_never_answers(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        kube = Kube(KubeConfig("x", "https://10.20.0.4", proxy_url=url), timeout=0.3)
        started = time.monotonic()
        with pytest.raises(ApiUnreachable):
            kube.get("/a")
        assert time.monotonic() - started < 2


def test_a_proxy_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ProxyError, match=f"proxy http://127.0.0.1:{port}: "):
        open_through(f"http://127.0.0.1:{port}", "h", 1, timeout=2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\x05\x02\x01\x01", "refused the user"),
        (b"\x05\xff", "wants another way"),
        (b"\x04\x00", "no SOCKS5"),
        (b"\x05\x00\x05\x05\x00\x01", "the connection was refused"),
        (b"\x05\x00\x05\x63\x00\x01", "it answered 99"),
        (b"\x05\x00\x05\x00\x00", "closed the connection"),
    ],
)
def test_socks_refusals(answer: bytes, said: str) -> None:
    with listening(answer) as port, pytest.raises(ProxyError, match=said):
        open_through(f"socks5://u:p@127.0.0.1:{port}", "h", 1, timeout=2)


@given(st.binary(max_size=64))
def test_no_answer_is_a_traceback(answer: bytes) -> None:
    for scheme in ("http", "socks5"):
        with listening(answer) as port:
            try:
                open_through(f"{scheme}://127.0.0.1:{port}", "h", 1, timeout=2).close()
            except OSError as error:
                assert isinstance(error, ProxyError | TimeoutError)


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """A port where a client gets an answer, whatever it sends, and is closed."""

    def serve() -> None:
        try:
            client, _ = server.accept()
            with client:
                client.recv(1)
                client.sendall(answer)
                client.shutdown(socket.SHUT_WR)
                while client.recv(1 << 12):
                    pass
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
