"""Whether pods run the images that were published: compared by digest, never by tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..kube.fields import map_at, maps_at
from ..kube.objects import Object
from ..registry.published import PublishedImage
from ..registry.tags import digest_tags, is_digest_tag
from .pod_rule import container_statuses

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}$")


@dataclass(frozen=True)
class ImageFinding:
    """A container that is not proven to run the expected image.

    ``kind`` is ``different`` (it runs another digest) or ``unknown`` (no digest reported yet).
    """

    kind: str
    pod: str
    container: str
    image: str
    image_id: str

    def __str__(self) -> str:
        actual = self.image_id or "no image id yet"
        return f"{self.pod}/{self.container}: {self.image} is {self.kind} ({actual})"


def split_image(reference: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image reference; empty where absent."""
    rest, _, digest = reference.partition("@")
    head, slash, tail = rest.rpartition("/")
    name, _, tag = tail.partition(":")
    return f"{head}{slash}{name}", tag, digest


def image_digest(image_id: str) -> str:
    """The ``sha256:…`` in a container status's ``imageID``, whose form depends on the runtime.

    Empty if there is none.
    """
    found = _DIGEST.search(image_id)
    return found.group(0) if found else ""


def image_proof(
    pods: Iterable[Object], expected: Mapping[str, frozenset[str]]
) -> list[ImageFinding]:
    """Every container that is not proven to run an expected digest.

    ``expected`` maps a repository to the digests allowed for it (``sha256:…`` of the index, the
    manifest or the config). Containers of other repositories are skipped.
    """
    findings: list[ImageFinding] = []
    for pod in pods:
        name = str(pod["metadata"]["name"])
        ids = {str(s.get("name")): str(s.get("imageID") or "") for s in container_statuses(pod)}
        for container in _containers(map_at(pod, "spec")):
            image = str(container.get("image") or "")
            allowed = expected.get(split_image(image)[0])
            if allowed is None:
                continue
            image_id = ids.get(str(container.get("name")), "")
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
    """Image references in a pod template that pin a digest other than the expected ones.

    Digests and our own tags of digests pin an image; with any other tag only the pods can tell.
    ``expected`` as in ``image_proof``; ``name`` is the workload's, for the finding.
    """
    findings: list[ImageFinding] = []
    for container in _containers(pod_spec):
        image = str(container.get("image") or "")
        repository, tag, digest = split_image(image)
        allowed = expected.get(repository)
        if allowed is None:
            continue
        if digest:
            right = digest in allowed
        elif is_digest_tag(tag):
            right = any(tag in digest_tags(each) for each in allowed)
        else:
            continue
        if not right:
            findings.append(
                ImageFinding("different", name, str(container.get("name")), image, digest or tag)
            )
    return findings


def _containers(pod_spec: Mapping[str, object]) -> list[Mapping[str, object]]:
    return [*maps_at(pod_spec, "initContainers"), *maps_at(pod_spec, "containers")]


def expected_digests(images: Mapping[str, PublishedImage]) -> dict[str, frozenset[str]]:
    """The digests that prove each image, by repository: the manifest's and the config's."""
    return {image.repository: image.digests for image in images.values()}
