"""Parts of a fake cluster ``hello``: what Docker says of it, its kubeconfig, and small servers."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from localloop.cluster.registry_state import REGISTRY_PORT
from localloop.cluster.state import kubeconfig_path
from localloop.config.node_places import OWNER_DEST
from localloop.system.paths import cluster_dir, write_private

OWNER = "1d"


def node(port: int) -> dict[str, Any]:
    """The node as Docker lists it; ``port`` is the API server's on this host."""
    return {
        "Id": "1",
        "Names": ["/hello-control-plane"],
        "Image": "node:1",
        "State": "running",
        "Labels": {"io.x-k8s.kind.cluster": "hello", "io.x-k8s.kind.role": "control-plane"},
        "Ports": [{"IP": "127.0.0.1", "PrivatePort": 6443, "PublicPort": port, "Type": "tcp"}],
        "Mounts": [{"Source": f"/{OWNER}", "Destination": OWNER_DEST}],
    }


def note_as_ours() -> None:
    """Note the cluster as one that localloop created."""
    note = {"owner": OWNER, "finished": True, "image": "node:1", "kubernetes": "1.37.2"}
    write_private(cluster_dir("hello") / "cluster.json", json.dumps(note).encode())


def registry_container(port: int) -> dict[str, Any]:
    """The registry's container as Docker inspects it, with its port on this host."""
    return {
        "Id": "1",
        "State": {"Status": "running", "Running": True},
        "Config": {"Labels": {"localloop.cluster": "hello"}},
        "HostConfig": {
            "PortBindings": {REGISTRY_PORT: [{"HostIp": "127.0.0.1", "HostPort": str(port)}]},
        },
        "NetworkSettings": {"Networks": {"kind": {}}},
    }


def write_kubeconfig(port: int) -> None:
    """Write the cluster's kubeconfig, with the API server's port on this host."""
    name = "kind-hello"
    path = kubeconfig_path("hello")
    server = {"server": f"http://127.0.0.1:{port}"}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "clusters": [{"name": name, "cluster": server}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "users": [{"name": name, "user": {"token": "t"}}],
            }
        )
    )


class Answering(http.server.BaseHTTPRequestHandler):
    """A handler that answers with a body, or with 404 if there is none."""

    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes | None, status: int = 200) -> None:
        self.send_response(status if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        return


class _OnSocket(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def served(address: Any, handler: type[Answering]) -> Iterator[int]:
    """A server of that address; yields its port, where it has one."""
    if isinstance(address, str):
        server: Any = _OnSocket(address, handler)
    else:
        server = http.server.ThreadingHTTPServer(address, handler)
        server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield 0 if isinstance(address, str) else server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
