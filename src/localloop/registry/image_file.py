"""Reads one file from a published image: the output of a node file's export stage."""

from __future__ import annotations

import json

from ..errors import LocalloopError
from ..system.archives import ArchiveError, read_member
from .client import Registry
from .published import PublishedImage


def read_file(registry: Registry, component: str, image: PublishedImage | None, path: str) -> bytes:
    """The bytes of the regular file at ``path``, from the topmost layer that has it.

    Raises ``registry_lost``, ``registry_corrupt`` or ``file_not_exported``.
    """
    repository = image.name if image else ""
    manifest = registry.manifest(repository, image.digest) if image else None
    if manifest is None:
        raise LocalloopError(
            "registry_lost",
            "the registry no longer has the file's image",
            component=component,
            hint="Run the deploy again: it builds what is missing.",
        )
    for layer in reversed(json.loads(manifest.body)["layers"]):
        blob = _blob(registry, component, repository, manifest.digest, layer["digest"])
        try:
            found = read_member(blob, path)
        except ArchiveError as error:
            raise _not_exported(component, f"{path} cannot be read: {error}") from error
        if found is not None:
            return found
    raise _not_exported(component, f"the export stage has no regular file {path}")


def _not_exported(component: str, problem: str) -> LocalloopError:
    return LocalloopError(
        "file_not_exported",
        problem,
        component=component,
        hint=f"Copy it there in the stage, or correct `file:` under node_files.{component}.",
    )


def _blob(registry: Registry, component: str, repository: str, image: str, digest: str) -> bytes:
    """A layer's bytes; damaged ones delete the image, so that the next deploy builds it again."""
    try:
        return registry.blob(repository, digest)
    except LocalloopError as error:
        if error.reason == "registry_corrupt":
            registry.delete_manifest(repository, image)
            error.component = component
            error.hint = "Run the deploy again: it builds and pushes the damaged image again."
        raise
