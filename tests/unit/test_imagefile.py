"""A file from a published image; the registry is a fake that serves layers made here."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from localloop.errors import LocalloopError
from localloop.registry.client import Manifest
from localloop.registry.image_file import read_file
from localloop.registry.published import PublishedImage

IMAGE = PublishedImage("127.0.0.1:5001/relay/tool", "sha256:m", {"linux/amd64": "sha256:c"})


def layer(compression: str = "gz", **files: bytes | None) -> bytes:
    """A layer; ``None`` stands for a directory, ``__`` in a name for a slash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            if content is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()


class FakeRegistry:
    def __init__(self, *layers: bytes) -> None:
        self.blobs = {"sha256:" + hashlib.sha256(data).hexdigest(): data for data in layers}

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        assert (repository, reference) == ("relay/tool", "sha256:m")
        body = {"layers": [{"digest": digest} for digest in self.blobs]}
        return Manifest("sha256:m", "sha256:c", "", json.dumps(body).encode())

    def blob(self, repository: str, digest: str) -> bytes:
        assert repository == "relay/tool"
        return self.blobs[digest]


def read(path: str, *layers: bytes) -> bytes:
    registry: Any = FakeRegistry(*layers)
    return read_file(registry, "tool", IMAGE, path)


@pytest.mark.parametrize("path", ["bin/tool", "./bin//tool"])
@pytest.mark.parametrize("compression", ["", "gz"])
def test_the_file_of_a_layer(path: str, compression: str) -> None:
    assert read(path, layer(compression, bin=None, bin__tool=b"bytes")) == b"bytes"


def test_the_topmost_layer_wins() -> None:
    assert read("tool", layer(tool=b"old"), layer(tool=b"new"), layer(other=b"x")) == b"new"


@pytest.mark.parametrize("layers", [[], [layer(other=b"x")], [layer(tool=None)]])
def test_a_file_that_is_not_exported_is_named(layers: list[bytes]) -> None:
    with pytest.raises(LocalloopError, match="has no regular file tool") as caught:
        read("tool", *layers)
    assert caught.value.reason == "file_not_exported"


def test_a_layer_that_cannot_be_read_is_named() -> None:
    with pytest.raises(
        LocalloopError, match="tool cannot be read: not a readable tar archive"
    ) as caught:
        read("tool", b"something else")
    assert (caught.value.reason, caught.value.component) == ("file_not_exported", "tool")


def test_an_image_that_is_gone() -> None:
    registry: Any = FakeRegistry()
    with pytest.raises(LocalloopError) as caught:
        read_file(registry, "tool", None, "tool")
    assert caught.value.reason == "registry_lost"
