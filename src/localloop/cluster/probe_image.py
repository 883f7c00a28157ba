"""A small image with random content: who has it got it from the registry it was pushed to."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ..errors import LocalloopError
from ..registry.client import Manifest, Registry

REPOSITORY = "localloop/probe"
_TYPES = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
}
_EMPTY_TAR = bytes(10240)


@dataclass(frozen=True)
class Probe:
    """Its tag in ``REPOSITORY``, and the digests of its configuration and its manifest."""

    tag: str
    config: str
    digest: str


def push_probe(registry: Registry, platform: str) -> Probe:
    """Push a new one for a platform (``linux/amd64``); raises ``LocalloopError``."""
    tag = os.urandom(8).hex()
    system, _, architecture = platform.partition("/")
    layer = gzip.compress(_EMPTY_TAR, mtime=0)
    config = json.dumps(
        {
            "os": system,
            "architecture": architecture.partition("/")[0],
            "config": {"Labels": {"localloop.probe": tag}},
            "rootfs": {
                "type": "layers",
                "diff_ids": ["sha256:" + hashlib.sha256(_EMPTY_TAR).hexdigest()],
            },
        }
    ).encode()
    blobs = {
        "config": registry.push_blob(REPOSITORY, config),
        "layer": registry.push_blob(REPOSITORY, layer),
    }
    body = _manifest(blobs, {"config": len(config), "layer": len(layer)})
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    manifest = Manifest(digest, blobs["config"], _TYPES["manifest"], body)
    registry.put_manifest(REPOSITORY, tag, manifest)
    return Probe(tag, blobs["config"], digest)


def remove_probe(registry: Registry, probe: Probe) -> None:
    """Remove it again, where the registry lets images be deleted."""
    with suppress(LocalloopError):
        registry.delete_manifest(REPOSITORY, probe.digest)


def _manifest(blobs: Mapping[str, str], sizes: Mapping[str, int]) -> bytes:
    parts = {
        name: {"mediaType": _TYPES[name], "digest": digest, "size": sizes[name]}
        for name, digest in blobs.items()
    }
    document = {"schemaVersion": 2, "mediaType": _TYPES["manifest"], "config": parts["config"]}
    return json.dumps({**document, "layers": [parts["layer"]]}).encode()
