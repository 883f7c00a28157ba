"""An image of the registry as one archive in OCI's layout, made while it is read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from .client import Manifest, Registry

_INDEX = "application/vnd.oci.image.index.v1+json"
_BLOCK = 512


def oci_archive(
    registry: Registry,
    repository: str,
    manifest: Manifest,
    names: Collection[str],
    *,
    without: Collection[str] = (),
) -> Iterator[bytes]:
    """A tar archive of an image in pieces, under ``names`` (whole references).

    ``repository`` is the image's inside its registry. The layers in ``without`` (``sha256:…``) are
    left out: who reads the archive has them. Raises what the registry raises.
    """
    found = json.loads(manifest.body)
    entries = [
        {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.body),
            "annotations": {"io.containerd.image.name": name},
        }
        for name in names
    ]
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
    yield _file("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
    yield _file("index.json", json.dumps(index).encode())
    yield _file(_place(manifest.digest), manifest.body)
    yield from _blob(registry, repository, found["config"]["digest"])
    for digest in dict.fromkeys(layer["digest"] for layer in found["layers"]):
        if digest not in without:
            yield from _blob(registry, repository, digest)
    yield bytes(2 * _BLOCK)


def layers_of(manifest: Manifest) -> list[str]:
    """The digests of an image's layers."""
    found: dict[str, Any] = json.loads(manifest.body)
    return [str(layer["digest"]) for layer in found["layers"]]


def _place(digest: str) -> str:
    return "blobs/sha256/" + digest.removeprefix("sha256:")


def _blob(registry: Registry, repository: str, digest: str) -> Iterator[bytes]:
    size, pieces = registry.open_blob(repository, digest)
    yield _header(_place(digest), size)
    yield from pieces
    yield bytes(-size % _BLOCK)


def _file(name: str, content: bytes) -> bytes:
    return _header(name, len(content)) + content + bytes(-len(content) % _BLOCK)


def _header(name: str, size: int) -> bytes:
    import tarfile

    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member.tobuf(tarfile.GNU_FORMAT)
