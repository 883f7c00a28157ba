"""A project between fakes at its edges: API server, helm, registry, and a node with its files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from fake_api import FakeApi

from localloop.config.project import load_project
from localloop.gate import run as gating
from localloop.gate import settle
from localloop.plan.model import ComponentPlan, Plan
from localloop.record.model import Record
from localloop.record.store import RecordStore
from localloop.registry.client import Manifest
from localloop.registry.published import PublishedImage
from localloop.release.charts import release_charts
from localloop.report.journal import Journal
from localloop.session import Session

Object = dict[str, Any]
REGISTRY = "127.0.0.1:5000"
NODE = "demo-control-plane"


class FakeImages:
    """The registry: single-layer images by repository and digest."""

    def __init__(self) -> None:
        self._manifests: dict[tuple[str, str], Manifest] = {}
        self._blobs: dict[str, bytes] = {}

    def publish(self, component: str, **files: bytes) -> PublishedImage:
        """An image with these files at its root, as a push leaves it."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        layer = "sha256:" + hashlib.sha256(buffer.getvalue()).hexdigest()
        self._blobs[layer] = buffer.getvalue()
        body = json.dumps({"config": {"digest": layer}, "layers": [{"digest": layer}]}).encode()
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        manifest = Manifest(digest, layer, "", body)
        self._manifests[f"demo/{component}", digest] = manifest
        return manifest.published(f"{REGISTRY}/demo/{component}", "linux/amd64")

    def forget(self, image: PublishedImage) -> None:
        """Lose an image, as a wiped volume does."""
        del self._manifests[image.name, image.digest]

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        return self._manifests.get((repository, reference))

    def blob(self, _repository: str, digest: str) -> bytes:
        return self._blobs[digest]


class FakeNode:
    """Docker, as far as files on a node go. ``fails``: the program that ends with 1 there."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, int, tuple[int, int]]] = {}
        self.fails = ""
        self.damages = False
        self.engine = self
        self._clock = 0

    def stat_path(self, node: str, path: str) -> Object | None:
        assert node == NODE
        found = self.files.get(path)
        if found is None:
            return None
        content, mode, _ = found
        return {"name": path, "size": len(content), "mode": mode, "mtime": str(self._clock)}

    def execute(self, node: str, argv: list[str], **_: Any) -> tuple[int, str]:
        assert node == NODE
        program, path = argv[0], argv[-1]
        if program == self.fails:
            return 1, f"{program}: no"
        if program == "sha256sum":
            return 0, f"{hashlib.sha256(self.files[path][0]).hexdigest()}  {path}"
        if program == "mv":
            self.files[path] = self.files.pop(argv[-2])
        if program == "rm":
            self.files.pop(path, None)
        return 0, ""

    def put_archive(self, node: str, directory: str, archive: bytes) -> None:
        assert node == NODE
        self._clock += 1
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member in members:
                held = members.extractfile(member)
                content = held.read() if held else b""
                owner = (member.uid, member.gid)
                place = f"{directory}/{member.name}"
                self.files[place] = (content + b"!" * self.damages, member.mode, owner)


class World:
    """A project ``demo``; ``sections`` are those of its localloop.yml."""

    def __init__(self, tmp_path: Path, api: FakeApi, **sections: Any) -> None:
        config = {"version": 1, "project": "demo", "readiness": {"timeout": 2}, **sections}
        root = tmp_path / "project"
        (root / "chart").mkdir(parents=True)
        (root / "localloop.yml").write_text(yaml.safe_dump(config))
        (root / "Dockerfile").write_text("FROM scratch\nCOPY localloop.yml /\n")
        (root / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 0.1.0\n")
        self.api = api
        self.images = FakeImages()
        self.node = FakeNode()
        self.events: list[Object] = []
        project = load_project(root, environ={})
        self.session = Session(project, {}, registry=REGISTRY, platform="linux/amd64", blind=True)
        self.session.kube = api.kube()
        self.session.cluster = SimpleNamespace(
            verdict="ok", nodes=(SimpleNamespace(name=NODE, age=None),), ours=True, image="node:1"
        )  # type: ignore[assignment]
        self.session.registry = self.images  # type: ignore[assignment]
        self.session.docker = self.node  # type: ignore[assignment]
        self.journal = Journal("tx-1", tmp_path / "journal", tmp_path / "lock")

    @property
    def store(self) -> RecordStore:
        return RecordStore(self.session.kube, "demo")

    @property
    def record(self) -> Record:
        return self.store.load()

    def plan(self, *parts: ComponentPlan) -> Plan:
        """A plan of these, made from the record as it is now."""
        return Plan(
            project="demo",
            root=str(self.session.project.root),
            profile="",
            mode="auto",
            targets=(),
            cluster={"verdict": "ok", "reason": ""},
            components={part.name: part for part in parts},
            serial=self.record.serial,
        )

    def release(self, plan: Plan) -> Plan:
        return release_charts(self.session, plan, self.journal, self.events.append)

    def settle(self, plan: Plan) -> bool:
        """Pass the gate and settle what passed; whether the record was written."""
        result = gating.run(self.session, plan, self.events.append)
        completed = settle.completed_jobs(result.as_dict())
        return settle.settle(self.session, plan, self.events.append, completed)

    def emitted(self, kind: str) -> list[Object]:
        """The events of a kind."""
        return [event for event in self.events if event["event"] == kind]


def prepare(api: FakeApi) -> None:
    """What every cluster has."""
    for name in ("localloop", "kube-system"):
        metadata = {"name": name, "uid": f"uid-{name}"}
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def obj(api_version: str, kind: str, name: str, **body: Any) -> Object:
    """An object in namespace ``app``; its uid is made of its name."""
    metadata = {"name": name, "namespace": "app", "uid": f"uid-{name}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
