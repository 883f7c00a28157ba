"""A fake API server for Secrets and Namespaces: resourceVersions are compared as etcd does."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from localloop.kube.client import Kube
from localloop.kube.kubeconfig import KubeConfig

Object = dict[str, Any]


class FakeStore:
    """Objects by path; ``requests`` are (method, path); POST into a missing namespace is a 404."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.requests: list[tuple[str, str]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.accepted: list[str] = []
        self.refuse_namespaces = False
        self.version = 40
        self.lock = threading.Lock()
        store = self

        class Handler(_Handler):
            fake = store

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FakeStore:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def kube(self) -> Kube:
        host, port = self.server.server_address[:2]
        return Kube(KubeConfig("fake", f"http://{host!s}:{port}"), 5.0)

    def put(self, path: str, obj: Object) -> Object:
        """Store an object at a path, whatever is there."""
        self.version += 1
        stored: Object = json.loads(json.dumps(obj))
        stored["metadata"]["resourceVersion"] = str(self.version)
        stored["metadata"].setdefault("uid", f"uid-{self.version}")
        self.objects[path] = stored
        return stored

    def namespace(self, name: str) -> None:
        self.put(f"/api/v1/namespaces/{name}", {"kind": "Namespace", "metadata": {"name": name}})


class _Handler(BaseHTTPRequestHandler):
    fake: FakeStore
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.fake.lock:
            self.fake.requests.append((self.command, url.path))
            self.fake.queries.append(parse_qs(url.query))
            self.fake.accepted.append(self.headers.get("Accept", ""))
            status, document = self.answer(url.path, json.loads(body) if body else {})
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_DELETE = do_GET

    def answer(self, path: str, obj: Object) -> tuple[int, Object]:
        store = self.fake
        if self.command == "POST":
            return self.create(path, obj)
        if path not in store.objects:
            if self.command == "GET" and path.endswith("/secrets"):
                every = path == "/api/v1/secrets"  # those of all namespaces
                found = [
                    obj
                    for place, obj in store.objects.items()
                    if place.startswith(f"{path}/") or (every and "/secrets/" in place)
                ]
                return 200, {"metadata": {"resourceVersion": str(store.version)}, "items": found}
            return 404, _status(404, "NotFound")
        if self.command == "GET":
            return 200, store.objects[path]
        if self.command == "DELETE":
            del store.objects[path]
            return 200, {"kind": "Status", "status": "Success"}
        given = obj["metadata"].get("resourceVersion")
        if given and given != store.objects[path]["metadata"]["resourceVersion"]:
            return 409, _status(409, "Conflict")
        return 200, store.put(path, obj)

    def create(self, path: str, obj: Object) -> tuple[int, Object]:
        store = self.fake
        parent = path.rpartition("/")[0]
        if path == "/api/v1/namespaces" and store.refuse_namespaces:
            return 403, _status(403, "Forbidden")
        if parent.startswith("/api/v1/namespaces/") and parent not in store.objects:
            return 404, _status(404, "NotFound")
        place = f"{path}/{obj['metadata']['name']}"
        if place in store.objects:
            return 409, _status(409, "AlreadyExists")
        return 201, store.put(place, obj)

    def log_message(self, format: str, *args: Any) -> None:
        return


def _status(code: int, reason: str) -> Object:
    return {"kind": "Status", "code": code, "reason": reason, "message": reason}
