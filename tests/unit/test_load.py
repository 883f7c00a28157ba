"""Images written into the nodes: the archive, two tries, and what counts as there."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.cluster import image_store, kind
from localloop.cluster.containers import CLUSTER_LABEL
from localloop.cluster.node_stores import NodeStores
from localloop.errors import LocalloopError, UsageError
from localloop.publish import load
from localloop.publish.load import load_images
from localloop.registry.client import Manifest
from localloop.registry.oci_archive import oci_archive
from localloop.registry.published import PublishedImage

STORE = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
REPOSITORY = "127.0.0.1:5000/demo/web"


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


CONFIG, LAYERS = b'{"os": "linux"}', (b"one" * 500, b"two")
BODY = json.dumps(
    {"config": {"digest": digest(CONFIG)}, "layers": [{"digest": digest(each)} for each in LAYERS]}
).encode()
MANIFEST = Manifest(
    digest(BODY), digest(CONFIG), "application/vnd.oci.image.manifest.v1+json", BODY
)
IMAGE = PublishedImage(REPOSITORY, MANIFEST.digest, {"linux/amd64": digest(CONFIG)}, loaded=True)


class FakeRegistry:
    def __init__(self) -> None:
        self.blobs = {digest(each): each for each in (CONFIG, *LAYERS)}

    def manifest(self, _repository: str, reference: str) -> Manifest | None:
        return MANIFEST if reference == MANIFEST.digest else None

    def open_blob(self, _repository: str, name: str) -> tuple[int, Iterator[bytes]]:
        content = self.blobs[name]
        return len(content), iter([content[:2], content[2:]])


class FakeNodes:
    """Docker with nodes: each has blobs and names, as its containerd has them.

    ``fails``: how many imports end with an error; ``forgets``: how many seem to succeed.
    """

    def __init__(self, *nodes: str, fails: int = 0, forgets: int = 0) -> None:
        self.blobs: dict[str, set[str]] = {node: set() for node in nodes}
        self.names: dict[str, dict[str, str]] = {node: {} for node in nodes}
        self.pulled: dict[str, dict[str, Any]] = {}
        self.archives: list[tuple[str, list[str]]] = []
        self.fails, self.forgets = fails, forgets
        self.labels: dict[str, str] = {}
        self.engine = self

    def inspect_container(self, _node: str) -> dict[str, Any]:
        return {"Config": {"Labels": self.labels}}

    def stat_path(self, node: str, path: str) -> dict[str, Any] | None:
        folder, _, name = path.rpartition("/")
        if folder == STORE:
            return {"size": 1} if f"sha256:{name}" in self.blobs[node] else None
        return {"size": 1} if path in self.pulled else None

    def read_file(self, _node: str, path: str) -> bytes:
        return json.dumps(self.pulled[path]).encode()

    def execute(self, node: str, argv: list[str], **_: Any) -> tuple[int, str]:
        assert argv[:2] == ["crictl", "inspecti"]
        found = self.names[node].get(argv[-1])
        return (0, json.dumps({"status": {"id": found}})) if found else (1, "no such image")

    def feed(
        self, node: str, argv: list[str], chunks: Iterable[bytes], *, timeout: float
    ) -> tuple[int, str]:
        assert argv[0] == "ctr" and "--namespace=k8s.io" in argv and timeout > 0
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            files = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
        self.archives.append((node, sorted(files)))
        if self.fails:
            self.fails -= 1
            return 1, "ctr: content digest mismatch"
        if self.forgets:
            self.forgets -= 1
            return 0, ""
        for path, content in files.items():
            if path.startswith("blobs/"):
                assert digest(content) == "sha256:" + path.rpartition("/")[2]
                self.blobs[node].add(digest(content))
        for entry in json.loads(files["index.json"])["manifests"]:
            body = files["blobs/sha256/" + entry["digest"].removeprefix("sha256:")]
            assert entry["size"] == len(body)
            needed = [each["digest"] for each in json.loads(body)["layers"]]
            assert set(needed) <= self.blobs[node]
            name = entry["annotations"]["io.containerd.image.name"]
            self.names[node][name] = json.loads(body)["config"]["digest"]
        return 0, ""


def session(nodes: FakeNodes) -> Any:
    registry: Any = FakeRegistry()
    stores = NodeStores(nodes, tuple(nodes.blobs), registry, {})  # type: ignore[arg-type]
    return SimpleNamespace(stores=stores, registry=registry)


def run(nodes: FakeNodes) -> list[str]:
    return load_images(session(nodes), {"web": IMAGE}, lambda _event: None)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "KNOWN_SECONDS", 0.0)
    monkeypatch.setattr(load, "_POLL_SECONDS", 0.0)


def test_every_node_that_lacks_it_gets_it_and_no_other() -> None:
    nodes = FakeNodes("a", "b", "c")
    run(nodes)
    nodes.archives.clear()
    nodes.names["b"].clear()
    nodes.blobs["b"].clear()
    assert run(nodes) == ["b"]
    assert [node for node, _ in nodes.archives] == ["b"]
    assert run(nodes) == []
    semver = f"{REPOSITORY}:{IMAGE.semver}"
    assert all(set(names) == {IMAGE.ref, semver, f"{REPOSITORY}@{IMAGE.digest}"}
               for names in nodes.names.values())  # fmt: skip


def test_only_what_a_node_lacks_is_sent() -> None:
    nodes = FakeNodes("a")
    nodes.blobs["a"].add(digest(LAYERS[0]))
    run(nodes)
    ((_, files),) = nodes.archives
    sent = {name.rpartition("/")[2] for name in files}
    assert digest(LAYERS[0]).removeprefix("sha256:") not in sent
    assert digest(LAYERS[1]).removeprefix("sha256:") in sent


def test_bytes_without_the_name_are_not_enough_before_a_release() -> None:
    nodes = FakeNodes("a")
    run(nodes)
    assert image_store.holds(nodes, "a", IMAGE)  # type: ignore[arg-type]
    nodes.names["a"].clear()
    assert run(nodes) == ["a"]


def test_another_image_under_its_name_is_replaced() -> None:
    nodes = FakeNodes("a")
    nodes.names["a"][IMAGE.ref] = digest(b"other")
    assert run(nodes) == ["a"]
    assert nodes.names["a"][IMAGE.ref] == digest(CONFIG)


@pytest.mark.parametrize("kind", ["fails", "forgets"])
def test_it_is_tried_twice(kind: str) -> None:
    nodes = FakeNodes("a", **{kind: 1})
    assert run(nodes) == ["a"]
    assert len(nodes.archives) == 2
    nodes = FakeNodes("a", **{kind: 2})
    with pytest.raises(LocalloopError) as caught:
        run(nodes)
    assert caught.value.reason == "image_not_loaded:web"
    assert ("digest mismatch" if kind == "fails" else "has nothing under") in caught.value.message
    assert caught.value.hint and "docker exec a" in caught.value.hint
    assert len(nodes.archives) == 2


@pytest.mark.parametrize("is_there", [True, False])
def test_the_second_try_is_kinds_own_loader(
    is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = FakeNodes("a", fails=1)
    nodes.blobs["a"].add(digest(LAYERS[0]))
    nodes.labels[CLUSTER_LABEL] = "mine"
    asked: list[tuple[str, str]] = []

    def require_kind() -> str:
        if not is_there:
            raise UsageError("tool_missing", "no kind")
        return "kind"

    def load_archive(cluster: str, node: str, archive: Path, *, environ: Any) -> None:
        asked.append((cluster, node))
        nodes.feed(node, ["ctr", "--namespace=k8s.io"], [archive.read_bytes()], timeout=1)

    monkeypatch.setattr(kind, "require_kind", require_kind)
    monkeypatch.setattr(kind, "load_archive", load_archive)
    assert run(nodes) == ["a"]
    assert asked == ([("mine", "a")] if is_there else [])
    sent = [
        len([name for name in names if name.startswith("blobs/")]) for _, names in nodes.archives
    ]
    assert sent == [3, 4]  # the second time with the layer that the node seemed to have


def test_both_tries_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = FakeNodes("a", fails=1)
    nodes.labels[CLUSTER_LABEL] = "mine"

    def fail(*_: Any, **__: Any) -> None:
        raise LocalloopError("kind_failed", "kind load image-archive: ERROR: no such snapshotter")

    monkeypatch.setattr(kind, "require_kind", lambda: "kind")
    monkeypatch.setattr(kind, "load_archive", fail)
    with pytest.raises(LocalloopError) as caught:
        run(nodes)
    assert "digest mismatch; then kind load image-archive" in caught.value.message


def test_a_store_that_lost_it_is_named() -> None:
    nodes = FakeNodes("a")
    given = session(nodes)
    given.registry.manifest = lambda *_: None
    with pytest.raises(LocalloopError, match="no longer has demo/web"):
        load_images(given, {"web": IMAGE}, lambda _event: None)


def test_nothing_is_loaded_where_nodes_pull() -> None:
    pulls: Any = SimpleNamespace(stores=None)
    assert load_images(pulls, {"web": IMAGE}, lambda _event: None) == []


@pytest.mark.parametrize(
    ("record", "starts"),
    [
        ({}, False),
        ({"credentialMapping": {"localhost:5001/demo/web": {}}}, False),
        ({"credentialMapping": {REPOSITORY: {}}}, True),
    ],
)
def test_a_kubelet_that_would_pull_it_all_the_same(record: dict[str, Any], starts: bool) -> None:
    nodes = FakeNodes("a")
    name = hashlib.sha256(digest(CONFIG).encode()).hexdigest()
    nodes.pulled[f"/var/lib/kubelet/image_manager/pulled/sha256-{name}"] = record
    if starts:
        run(nodes)
        return
    with pytest.raises(LocalloopError) as caught:
        run(nodes)
    assert caught.value.reason == "image_pulled_before:web"
    assert caught.value.hint and name in caught.value.hint


def test_an_archive_is_whole_blocks_and_read_by_others() -> None:
    registry: Any = FakeRegistry()
    content = b"".join(oci_archive(registry, "demo/web", MANIFEST, ["n:1"]))
    assert len(content) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert json.load(archive.extractfile("oci-layout") or io.BytesIO()) == {
            "imageLayoutVersion": "1.0.0"
        }
        assert len(archive.getnames()) == 6


def test_a_loaded_image_is_referred_to_by_its_tag() -> None:
    assert IMAGE.ref == f"{REPOSITORY}:{IMAGE.tag}"
    pulled = PublishedImage(REPOSITORY, MANIFEST.digest)
    assert pulled.ref == f"{REPOSITORY}@{MANIFEST.digest}"
    assert pulled == IMAGE
    from dataclasses import asdict

    assert PublishedImage.from_dict(asdict(IMAGE)).loaded
    assert not PublishedImage.from_dict({"repository": "r", "digest": "d", "config": "c"}).loaded
