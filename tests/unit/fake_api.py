"""A fake Kubernetes API server: real HTTP on loopback, scripted answers, streaming watches."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from localloop.kube.client import Kube
from localloop.kube.kinds import known_resource
from localloop.kube.kubeconfig import KubeConfig
from localloop.kube.objects import ref_of

Object = dict[str, Any]
NAMESPACE = "/api/v1/namespaces/localloop"


class FakeApi:
    """Holds objects; serves LIST, WATCH, GET, POST, PUT, PATCH, DELETE, logs and ``/readyz``.

    ``answers[(method, path)]`` is a list of ``(status, headers, body)`` given before anything
    else; a body of ``None`` drops the connection instead. Once ``/down`` was asked for, nothing is
    answered any more. ``after_delete`` stands for the controller of what was deleted.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.log: list[tuple[str, Object]] = []
        self.version = 100
        self.requests: list[tuple[str, str, dict[str, str], dict[str, str], bytes]] = []
        self.connections: set[Any] = set()
        self.answers: dict[tuple[str, str], list[tuple[int, dict[str, str], Any]]] = {}
        self.logs: dict[str, str] = {}
        self.now: Callable[[], float] = time.time
        self.after_delete: Callable[[Object], object] = lambda _obj: None
        self.changed = threading.Condition()
        self.watching = 0
        self.down = False
        self.closing = False
        api = self

        class Handler(_Handler):
            fake = api

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FakeApi:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def kube(self, timeout: float = 5.0) -> Kube:
        host, port = self.server.server_address[:2]
        return Kube(KubeConfig("fake", f"http://{host!s}:{port}"), timeout)

    def put(self, *objects: Object) -> None:
        """Store objects as the cluster would, and notify the watches."""
        with self.changed:
            for given in objects:
                self.version += 1
                path = path_of(given)
                obj = json.loads(json.dumps(given))
                obj["metadata"]["resourceVersion"] = str(self.version)
                self.log.append(("MODIFIED" if path in self.objects else "ADDED", obj))
                self.objects[path] = obj
            self.changed.notify_all()

    def remove(self, obj: Object) -> None:
        with self.changed:
            self.version += 1
            gone = self.objects.pop(path_of(obj))
            gone["metadata"]["resourceVersion"] = str(self.version)
            self.log.append(("DELETED", gone))
            self.changed.notify_all()

    def drop_watches(self) -> None:
        with self.changed:
            self.log.append(("DROP", {}))
            self.changed.notify_all()

    def methods(self, prefix: str = "") -> list[str]:
        return [f"{m} {p}" for m, p, *_ in self.requests if f"{m} {p}".startswith(prefix)]


def path_of(obj: Object) -> str:
    ref = ref_of(obj)
    plural, namespaced = known_resource(ref.group, ref.kind) or (ref.kind.lower() + "s", True)
    root = f"/apis/{ref.api_version}" if ref.group else f"/api/{ref.api_version}"
    inside = f"/namespaces/{ref.namespace}" if namespaced else ""
    return f"{root}{inside}/{plural}/{ref.name}"


def collection_of_all(path: str) -> str:
    """The collection of an object's kind over all namespaces."""
    return re.sub(r"/namespaces/[^/]+(/.+)/[^/]+$", r"\1", path)


def selected(obj: Object, selector: str) -> bool:
    """Whether the labels are as a selector of ``key=value`` and ``key`` wants them."""
    labels = obj["metadata"].get("labels", {})
    for wanted in re.findall(r"(?:[^,(]|\([^)]*\))+", selector):
        key, equals, value = wanted.partition("=")
        if " in " not in wanted and (key not in labels or (equals and labels[key] != value)):
            return False
    return True


class _Handler(BaseHTTPRequestHandler):
    fake: FakeApi
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # header and body in one packet

    def do_GET(self) -> None:
        fake = self.fake
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        fake.requests.append((self.command, url.path, query, headers, body))
        fake.connections.add(self.client_address)
        scripted = fake.answers.get((self.command, url.path))
        fake.down = fake.down or url.path == "/down"
        if fake.down:
            self.close_connection = True
        elif scripted:
            status, extra, document = scripted.pop(0)
            if document is None:
                self.close_connection = True
            else:
                self.answer(status, document, extra)
        elif self.command == "GET":
            self.read(url.path, query, headers)
        else:
            self.write(url.path, body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def read(self, path: str, query: dict[str, str], headers: dict[str, str]) -> None:
        fake = self.fake
        if path == "/readyz":
            return self.answer(200, "ok")
        if path.endswith("/log"):
            return self.answer(200, fake.logs.get(path + query.get("previous", ""), ""))
        if query.get("watch"):
            return self.watch(path, query)
        with fake.changed:
            if path in fake.objects:
                return self.answer(200, fake.objects[path])
            items = [
                o
                for p, o in fake.objects.items()
                if path in (p.rpartition("/")[0], collection_of_all(p))
                and selected(o, query.get("labelSelector", ""))
            ]
            version = str(fake.version)
        plural = path.rpartition("/")[2]
        if not items and not plural.endswith("s"):
            return self.error(404, "NotFound", f"{path} not found")
        items = [{k: v for k, v in o.items() if k not in ("kind", "apiVersion")} for o in items]
        if "PartialObjectMetadata" in headers["accept"]:
            kind = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            items = [{**kind, "metadata": item["metadata"]} for item in items]
        return self.answer(200, {"metadata": {"resourceVersion": version}, "items": items})

    def write(self, path: str, body: bytes) -> None:
        fake = self.fake
        if self.command == "DELETE":
            with fake.changed:
                obj = fake.objects.get(path)
            if obj is None:
                return self.error(404, "NotFound", "gone")
            fake.remove(obj)
            fake.after_delete(obj)
            return self.answer(200, {"kind": "Status", "status": "Success"})
        obj = json.loads(body)
        if self.command in ("POST", "PUT"):
            fake.put(obj)
            return self.answer(201 if self.command == "POST" else 200, fake.objects[path_of(obj)])
        if self.command == "PATCH" and path == NAMESPACE:
            return self.merge(path, obj)
        return self.answer(200, obj)

    def merge(self, path: str, patch: Object) -> None:
        """A merge patch of a namespace's annotations."""
        obj = self.fake.objects.get(path)
        if obj is None:
            return self.error(404, "NotFound", f"{path} not found")
        metadata = obj["metadata"]
        annotations = metadata.get("annotations", {}) | patch["metadata"]["annotations"]
        self.fake.put({**obj, "metadata": {**metadata, "annotations": annotations}})
        return self.answer(200, self.fake.objects[path])

    def watch(self, path: str, query: dict[str, str]) -> None:
        fake = self.fake
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        since, place = int(query["resourceVersion"]), 0
        end = time.monotonic() + float(query["timeoutSeconds"])
        with fake.changed:
            fake.watching += 1
            place = next(
                (
                    n
                    for n, (_, o) in enumerate(fake.log)
                    if o and int(o["metadata"]["resourceVersion"]) > since
                ),
                len(fake.log),
            )
            while not fake.closing and not fake.down and time.monotonic() < end:
                for kind, obj in fake.log[place:]:
                    if kind == "DROP":
                        break
                    if path_of(obj).rpartition("/")[0] == path:
                        self.chunk({"type": kind, "object": obj})
                else:
                    place = len(fake.log)
                    self.wfile.flush()
                    fake.changed.wait(0.2)
                    continue
                break
            fake.watching -= 1
        self.close_connection = True
        try:
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            return

    def chunk(self, document: Any) -> None:
        data = json.dumps(document).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def error(self, status: int, reason: str, message: str) -> None:
        document = {"kind": "Status", "reason": reason, "message": message, "code": status}
        self.answer(status, document)

    def answer(self, status: int, document: Any, extra: dict[str, str] | None = None) -> None:
        data = (document if isinstance(document, str) else json.dumps(document)).encode()
        self.send_response(status)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.fake.now() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        return
