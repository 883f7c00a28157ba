"""Do the pods run the images that were published? By digest, never by tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..kube.objects import Object
from .pod_rule import container_statuses

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}$")
_OUR_TAG = re.compile(r"d-([0-9a-f]{20})$")


@dataclass(frozen=True)
class ImageFinding:
    """A container that is not proven to run what it should: ``different`` or ``unknown``."""

    kind: str
    pod: str
    container: str
    image: str
    image_id: str

    def __str__(self) -> str:
        have = self.image_id or "no image id yet"
        return f"{self.pod}/{self.container}: {self.image} is {self.kind} ({have})"


def split_image(reference: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image reference (empty where absent)."""
    rest, _, digest = reference.partition("@")
    head, slash, tail = rest.rpartition("/")
    name, _, tag = tail.partition(":")
    return f"{head}{slash}{name}", tag, digest


def image_digest(image_id: str) -> str:
    """The ``sha256:…`` inside any shape of a container status's imageID; empty if there is none."""
    found = _DIGEST.search(image_id)
    return found.group(0) if found else ""


def image_proof(
    pods: Iterable[Object], expected: Mapping[str, frozenset[str]]
) -> list[ImageFinding]:
    """What contradicts, or leaves open, that the pods run the expected digests.

    ``expected`` maps a repository to the digests (``sha256:…``: index, manifest, config) that are
    allowed for it; containers of other repositories are not looked at.
    """
    findings: list[ImageFinding] = []
    for pod in pods:
        name = str(pod["metadata"]["name"])
        ids = {s.get("name"): str(s.get("imageID") or "") for s in container_statuses(pod)}
        for container in _containers(pod.get("spec") or {}):
            image = str(container.get("image") or "")
            allowed = expected.get(split_image(image)[0])
            if allowed is None:
                continue
            image_id = ids.get(container.get("name"), "")
            digest = image_digest(image_id)
            if digest not in allowed:
                kind = "different" if digest else "unknown"
                findings.append(
                    ImageFinding(kind, name, str(container.get("name")), image, image_id)
                )
    return findings


def template_findings(
    pod_spec: Mapping[str, object], expected: Mapping[str, frozenset[str]], name: str
) -> list[ImageFinding]:
    """References in a pod template that pin another digest than the expected ones.

    Digests and our own ``d-…`` tags pin; any other tag says nothing and is left to the pods.
    """
    findings: list[ImageFinding] = []
    for container in _containers(pod_spec):
        image = str(container.get("image") or "")
        repository, tag, digest = split_image(image)
        allowed = expected.get(repository)
        if allowed is None:
            continue
        ours = _OUR_TAG.fullmatch(tag)
        if digest:
            right = digest in allowed
        elif ours:
            right = any(entry.startswith(f"sha256:{ours.group(1)}") for entry in allowed)
        else:
            continue
        if not right:
            findings.append(
                ImageFinding("different", name, str(container.get("name")), image, digest or tag)
            )
    return findings


def _containers(pod_spec: Mapping[str, object]) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for section in ("initContainers", "containers"):
        entries = pod_spec.get(section)
        if isinstance(entries, list):
            found.extend(entries)
    return found


def expected_digests(images: Mapping[str, Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """Per repository the digests that prove an image: its manifest's and its configuration's."""
    return {
        image["repository"]: frozenset(filter(None, (image["digest"], image["config"])))
        for image in images.values()
    }
