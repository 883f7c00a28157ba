"""The registry's client against a small fake registry on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from localloop.errors import LocalloopError
from localloop.registry.client import MANIFEST_TYPES, Manifest, Registry

BODY = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:" + "c" * 64}}).encode()
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
PATH = "/v2/hello/web/manifests/"
BLOBS = "/v2/hello/web/blobs/"


class FakeRegistry:
    """Manifests by path; ``answers`` are sent first, as (status, type, body); ``None`` hangs up."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.digests: dict[str, str] = {}
        self.tags: dict[str, list[str] | None] = {}
        self.answers: list[tuple[int, str, bytes] | None] = []
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.close_after_each = False
        fake = self

        class Handler(_Handler):
            registry = fake

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: FakeRegistry
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        fake = self.registry
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fake.requests.append((self.command, self.path))
        fake.headers.append(dict(self.headers))
        fake.connections.add(self.client_address)
        answer = fake.answers.pop(0) if fake.answers else self.found(body)
        if answer is None:
            self.close_connection = True
            return
        status, media_type, content = answer
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        if self.path in fake.digests:
            self.send_header("Docker-Content-Digest", fake.digests[self.path])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        # Without announcing it in a header, as servers do after an idle timeout.
        self.close_connection = self.close_connection or fake.close_after_each

    do_PUT = do_HEAD = do_GET

    def found(self, body: bytes) -> tuple[int, str, bytes]:
        fake = self.registry
        if self.command == "PUT":
            fake.manifests[self.path] = (self.headers["Content-Type"], body)
            return 201, "text/plain", b""
        if self.path in fake.manifests:
            return 200, *fake.manifests[self.path]
        repository = self.path.removeprefix("/v2/").removesuffix("/tags/list")
        if repository in fake.tags:
            content = {"name": repository, "tags": fake.tags[repository]}
            return 200, "application/json", json.dumps(content).encode()
        missing = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        return 404, "application/json", json.dumps(missing).encode()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    found = FakeRegistry()
    found.manifests[PATH + "d-1"] = (MANIFEST_TYPES[0], BODY)
    found.manifests[PATH + DIGEST] = (MANIFEST_TYPES[1], BODY)
    yield found
    found.close()


def test_manifest_by_tag_and_by_digest(fake: FakeRegistry) -> None:
    registry = Registry(fake.address)
    by_tag = registry.manifest("hello/web", "d-1")
    assert by_tag == Manifest(DIGEST, "sha256:" + "c" * 64, MANIFEST_TYPES[0], BODY)
    by_digest = registry.manifest("hello/web", DIGEST)
    assert by_digest is not None
    assert (by_digest.digest, by_digest.media_type) == (DIGEST, MANIFEST_TYPES[1])
    assert all(kind in fake.headers[0]["Accept"] for kind in MANIFEST_TYPES)
    assert len(fake.connections) == 1


def test_a_manifest_that_does_not_match_its_digest(fake: FakeRegistry) -> None:
    fake.digests[PATH + "d-1"] = DIGEST
    assert Registry(fake.address).manifest("hello/web", "d-1") is not None
    fake.manifests[PATH + "d-1"] = (MANIFEST_TYPES[0], BODY + b" ")
    assert Registry(fake.address).manifest("hello/web", "d-1") is None


def test_a_manifest_that_the_registry_cannot_parse(fake: FakeRegistry) -> None:
    said = {"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": {"Offset": 12}}]}
    fake.answers = [(500, "application/json", json.dumps(said).encode())]
    assert Registry(fake.address).manifest("hello/web", DIGEST) is None


def test_size_of_a_blob(fake: FakeRegistry) -> None:
    registry = Registry(fake.address)
    fake.manifests[BLOBS + "sha256:aa"] = ("application/octet-stream", b"12345")
    assert registry.size("hello/web", "sha256:aa") == 5
    assert registry.size("hello/web", "sha256:bb") is None
    assert registry.size("hello/web", "sha256:aa") == 5
    assert len(fake.connections) == 1
    fake.answers = [(500, "text/plain", b"")]
    with pytest.raises(LocalloopError, match="status 500"):
        registry.size("hello/web", "sha256:aa")


def test_bytes_of_a_blob(fake: FakeRegistry) -> None:
    registry = Registry(fake.address)
    content = bytes(range(256)) * (3 << 12)  # three chunks
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    fake.manifests[BLOBS + digest] = ("application/octet-stream", content)
    assert registry.has_bytes_of("hello/web", digest)
    fake.manifests[BLOBS + digest] = ("application/octet-stream", content[:-1] + b"x")
    assert not registry.has_bytes_of("hello/web", digest)
    fake.answers = [(500, "text/plain", b"disk gone")]
    with pytest.raises(LocalloopError, match="disk gone"):
        registry.has_bytes_of("hello/web", digest)


def test_absent(fake: FakeRegistry) -> None:
    registry = Registry(fake.address)
    assert registry.manifest("hello/web", "d-2") is None
    assert registry.manifest("hello/other", DIGEST) is None
    assert registry.tags("hello/other") == []


def test_reconnects_after_an_idle_connection_was_closed(fake: FakeRegistry) -> None:
    fake.close_after_each = True
    registry = Registry(fake.address)
    for _ in range(3):
        assert registry.manifest("hello/web", "d-1") is not None
    assert len(fake.connections) == 3


def test_a_dropped_request_is_retried_once(fake: FakeRegistry) -> None:
    registry = Registry(fake.address)
    assert registry.manifest("hello/web", "d-1") is not None
    fake.answers = [None]
    assert registry.manifest("hello/web", "d-1") is not None
    fake.answers = [None, None]
    with pytest.raises(LocalloopError) as caught:
        registry.manifest("hello/web", "d-1")
    assert caught.value.reason == "registry_unreachable"
    assert registry.manifest("hello/web", "d-1") is not None


def test_a_new_connection_that_is_dropped_is_not_retried(fake: FakeRegistry) -> None:
    fake.answers = [None]
    with pytest.raises(LocalloopError, match="does not answer"):
        Registry(fake.address).manifest("hello/web", "d-1")
    assert len(fake.requests) == 1


def test_nothing_listens(fake: FakeRegistry) -> None:
    fake.close()
    with pytest.raises(LocalloopError) as caught:
        Registry(fake.address).manifest("hello/web", "d-1")
    assert caught.value.reason == "registry_unreachable"
    assert fake.address in caught.value.message


@pytest.mark.parametrize("flip", [0, len(BODY) // 2, len(BODY) - 1])
def test_a_flipped_bit_is_detected(fake: FakeRegistry, flip: int) -> None:
    content = bytearray(BODY)
    content[flip] ^= 1
    fake.manifests[PATH + DIGEST] = (MANIFEST_TYPES[0], bytes(content))
    assert Registry(fake.address).manifest("hello/web", DIGEST) is None


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b'{"errors": [{"code": "UNKNOWN", "message": "disk full"}]}', "UNKNOWN disk full"),
        (403, b"", "status 403"),  # AirPlay
        (502, b"<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (500, b'{"errors": []}', "status 500"),
        (500, b"\xff" * 1000, "status 500"),
        (200, b"<html>hello</html>", "other than a manifest"),
        (200, b"[]", "other than a manifest"),
        (200, b'{"config": "x"}', "other than a manifest"),
    ],
)
def test_an_unexpected_answer_is_an_error(
    fake: FakeRegistry, status: int, body: bytes, said: str
) -> None:
    fake.answers = [(status, "text/html", body)]
    with pytest.raises(LocalloopError) as caught:
        Registry(fake.address).manifest("hello/web", "d-1")
    assert caught.value.reason == "registry_error"
    assert said in caught.value.message
    assert fake.address in caught.value.message
    assert len(caught.value.message) < 400


def test_put_manifest_adds_a_tag(fake: FakeRegistry) -> None:
    registry = Registry(fake.address)
    found = registry.manifest("hello/web", "d-1")
    assert found is not None
    registry.put_manifest("hello/web", "fp-1", found)
    assert registry.manifest("hello/web", "fp-1") == found
    fake.answers = [(400, "application/json", b'{"errors": [{"code": "MANIFEST_INVALID"}]}')]
    with pytest.raises(LocalloopError, match="tagging hello/web:fp-2: status 400"):
        registry.put_manifest("hello/web", "fp-2", found)


def test_tags(fake: FakeRegistry) -> None:
    fake.tags = {"hello/web": ["fp-2", "d-1"], "hello/empty": None}
    registry = Registry(fake.address)
    assert registry.tags("hello/web") == ["d-1", "fp-2"]
    assert registry.tags("hello/empty") == []


def test_silence_ends_with_the_timeout(fake: FakeRegistry) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = Registry(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.1)
        with pytest.raises(LocalloopError, match="timed out"):
            registry.manifest("hello/web", "d-1")
