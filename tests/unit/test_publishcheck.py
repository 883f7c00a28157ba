"""Which blobs of a pushed image have to be pushed again. The registry is a scripted fake."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.errors import LocalloopError
from localloop.publish.check import WHOLE_BYTES, broken_blobs, damaged_blobs, refuse_full
from localloop.registry.client import Manifest

LARGE = WHOLE_BYTES + 1
CONFIG, LAYER, HUGE = (f"sha256:{letter * 64}" for letter in "abc")
MANIFEST = {
    "config": {"digest": CONFIG, "size": 10},
    "layers": [
        {"digest": LAYER, "size": 20},
        {"digest": LAYER, "size": 20},
        {"digest": HUGE, "size": LARGE},
    ],
}


class FakeRegistry:
    """``sizes`` of the blobs that it holds; ``flipped`` ones have other bytes."""

    def __init__(self, manifest: Any = MANIFEST, flipped: tuple[str, ...] = (), **sizes: int):
        self.body = None if manifest is None else json.dumps(manifest).encode()
        self.sizes = {CONFIG: 10, LAYER: 20, HUGE: LARGE}
        self.sizes |= {{"config": CONFIG, "layer": LAYER}[key]: size for key, size in sizes.items()}
        self.flipped = flipped
        self.read: list[str] = []

    def new_connection(self) -> FakeRegistry:
        return self

    def manifest(self, _: str, digest: str) -> Manifest | None:
        return None if self.body is None else Manifest(digest, "", "", self.body)

    def size(self, _: str, digest: str) -> int | None:
        return self.sizes[digest] if self.sizes[digest] >= 0 else None

    def has_bytes_of(self, _: str, digest: str) -> bool:
        self.read.append(digest)
        return digest not in self.flipped


def without_size() -> dict[str, Any]:
    return {**MANIFEST, "layers": [{"digest": LAYER}]}


@pytest.mark.parametrize(
    ("registry", "broken"),
    [
        (FakeRegistry(), []),
        (FakeRegistry(manifest=None), ["sha256:m"]),
        (FakeRegistry(config=9), [CONFIG]),
        (FakeRegistry(config=-1, layer=0), [CONFIG, LAYER]),
        (FakeRegistry(flipped=(LAYER, HUGE)), [LAYER]),
        (FakeRegistry(without_size(), flipped=(LAYER,), layer=0), [LAYER]),
    ],
    ids=["whole", "manifest", "truncated", "absent and empty", "flipped", "empty when pushed"],
)
def test_broken(registry: Any, broken: list[str]) -> None:
    assert broken_blobs(registry, "hello/web", "sha256:m") == broken
    assert HUGE not in registry.read


BLOBS = "/var/lib/registry/docker/registry/v2/blobs/sha256"
GOOD, BAD = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("said", "damaged"),
    [
        (f"{GOOD}  {BLOBS}/aa/{GOOD}/data\n", {}),
        (f"{GOOD}  {BLOBS}/bb/{BAD}/data\n", {f"sha256:{BAD}": f"{BLOBS}/bb/{BAD}"}),
        (f"{GOOD}  /etc/{BAD}/data\n{GOOD}  {BLOBS}/x\nsha256sum: {BLOBS}/y/data: gone\n\n", {}),
    ],
    ids=["whole", "damaged", "something else"],
)
def test_what_is_damaged_in_the_volume(said: str, damaged: dict[str, str]) -> None:
    assert damaged_blobs(said) == damaged


DF = """Filesystem     1024-blocks      Used Available Capacity Mounted on
{name} {size} {used} {free} 94% /var/lib/registry
"""


@pytest.mark.parametrize(
    ("size", "free", "full"),
    [
        (6144, 0, True),
        (6144, 200, False),
        (100 << 20, 63 << 10, True),
        (100 << 20, 65 << 10, False),
        (2 << 20, 50 << 10, False),
    ],
    ids=["small and full", "small", "large and full", "large", "middle"],
)
def test_a_full_disk(
    size: int, free: int, full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = DF.format(name="/dev/vda1", size=size, used=size - free, free=free)
    (tmp_path / "docker").write_text(f"#!/bin/sh\ncat <<END\n{said}END\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    session: Any = SimpleNamespace(
        registry_container_name="localloop-x-registry",
        container_name="x-control-plane",
        docker=SimpleNamespace(inspect_container=lambda _: {}),
    )
    if not full:
        refuse_full(session)
        return
    with pytest.raises(LocalloopError) as caught:
        refuse_full(session)
    assert caught.value.reason == "disk_full"
    words = f"{free >> 10} of {size >> 10} MiB are free in /var/lib/registry"
    assert words in caught.value.message
