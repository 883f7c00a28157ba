"""The project ``hello`` as deployed: on fakes of Docker, its registry and the API server."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import FakeApi
from fake_cluster import (
    Answering,
    node,
    note_as_ours,
    registry_container,
    served,
    write_kubeconfig,
)

from localloop.config.project import load_project
from localloop.helm.releases import PROJECT_LABEL
from localloop.kube.objects import object_version, ref_of
from localloop.record.model import ChartState, ImageEntry, Record, encode
from localloop.registry.published import PublishedImage
from localloop.registry.tags import fingerprint_tag
from localloop.session import Session

CONFIG = {
    "version": 1,
    "project": "hello",
    "images": {"web": {"dockerfile": "Dockerfile"}},
    "charts": {"page": {"path": "chart", "namespace": "hello", "values": {"image": "$web.ref"}}},
}
MANIFEST = json.dumps({"config": {"digest": "sha256:" + "c" * 64}}).encode()
DIGEST = "sha256:" + sha256(MANIFEST).hexdigest()


@dataclass
class World:
    """A project, and fakes of Docker, its registry and the API server that know it as deployed."""

    root: Path
    api: FakeApi
    listed: list[dict[str, Any]] = field(default_factory=list)
    containers: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


@contextmanager
def deployed_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The project in ``tmp_path/hello``, as deployed; the environment names the fakes."""
    root = tmp_path / "hello"
    (root / "chart").mkdir(parents=True)
    (root / "localloop.yml").write_text(yaml.safe_dump(CONFIG))
    (root / "Dockerfile").write_text("FROM scratch\nCOPY page.html /\n")
    (root / "page.html").write_text("a page\n")
    (root / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: page\nversion: 0.1.0\n")
    monkeypatch.delenv("CLUSTER_NAME", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with ExitStack() as stack:
        api = stack.enter_context(FakeApi())
        made = World(root, api)
        port = stack.enter_context(served(("127.0.0.1", 0), _registry(made)))
        stack.enter_context(served(str(tmp_path / "docker.sock"), _docker(made)))
        api_port = api.server.server_address[1]
        made.listed = [node(api_port)]
        note_as_ours()
        made.containers["localloop-hello-registry"] = registry_container(port)
        write_kubeconfig(api_port)
        _deployed(made, api)
        yield made


def _deployed(world: World, api: FakeApi) -> None:
    """Put into the fakes what a deploy of this tree leaves behind."""
    session = Session(load_project(world.root), os.environ)
    image = session.fingerprints.of_image(session.project.images["web"])
    chart = session.fingerprints.of_chart(session.project.charts["page"])
    api.put(_object("Namespace", "kube-system"))
    page = _object("ConfigMap", "page", namespace="hello")
    labels = {"owner": "helm", "name": "page", "version": "1", "status": "deployed"}
    labels[PROJECT_LABEL] = "hello"
    secret = _object("Secret", "sh.helm.release.v1.page.v1", namespace="hello", labels=labels)
    api.put(page, secret)
    view = {ref_of(obj): obj for obj in api.objects.values()}
    stored = view[ref_of(secret)]["metadata"]
    world.tags = {DIGEST, fingerprint_tag(image.value)}
    held = PublishedImage(session.repository("web"), DIGEST, {"linux/amd64": "sha256:" + "c" * 64})
    state = ChartState(
        transaction="tx",
        fingerprint=chart.value,
        images={"web": held},
        revision=1,
        manifest="m",
        secret={"uid": stored["uid"], "resource_version": stored["resourceVersion"]},
        objects={"v1/ConfigMap/hello/page": object_version(view[ref_of(page)])},
    )
    record = Record("hello", serial=1)
    record.images["web"] = ImageEntry(image.value, held)
    content = b64encode(encode(record.settle("page", state))).decode()
    api.put({**_object("Secret", "hello", namespace="localloop"), "data": {"record": content}})


def _object(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "uid": name, **metadata}}


def _registry(world: World) -> type[Answering]:
    class Handler(Answering):
        def do_GET(self) -> None:
            reference = self.path.rpartition("/")[2]
            if reference.startswith("_catalog"):
                return self.answer(b'{"repositories": []}')
            return self.answer(MANIFEST if not reference or reference in world.tags else None)

    return Handler


def _docker(world: World) -> type[Answering]:
    class Handler(Answering):
        def address_string(self) -> str:
            return "docker"

        def do_GET(self) -> None:
            path, _, query = re.sub(r"^/v1\.\d+", "", self.path).partition("?")
            found: Any = world.containers.get(path.split("/")[-2])
            if path == "/containers/json":
                ours = "kind.cluster" not in query or "kind.cluster%3Dhello%22" in query
                found = world.listed if ours else []
            elif path in ("/version", "/info"):
                found = {"Version": "26.1.5", "ApiVersion": "1.45"}
            self.answer(json.dumps(found).encode() if found is not None else None)

        def do_HEAD(self) -> None:
            self.answer(None)  # there is no such file in a container

    return Handler
