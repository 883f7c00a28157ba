"""A published image, as it passes from the push through plan, release and record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .tags import digest_tag, digest_tags, semver_tag


@dataclass(frozen=True)
class PublishedImage:
    """An image in a registry, named by the digest of its bytes.

    ``repository`` is REGISTRY/PROJECT/COMPONENT with the registry's address as the nodes reach it,
    ``digest`` that of the manifest. ``configs`` has the digest of the image's configuration by
    platform (``linux/amd64``; empty if not recorded), which some runtimes report instead.
    All digests are written ``sha256:…``. Two images are equal if repository and digest are, because
    the digest covers the configurations. ``loaded``: it is written into the nodes' containerd,
    which pulls nothing, so that only its tag names it there.
    """

    repository: str
    digest: str
    configs: Mapping[str, str] = field(default_factory=dict, compare=False)
    loaded: bool = field(default=False, compare=False)

    @property
    def registry(self) -> str:
        """The registry's address: ``127.0.0.1:5000``."""
        return self.repository.partition("/")[0]

    @property
    def name(self) -> str:
        """PROJECT/COMPONENT: the repository inside its registry."""
        return self.repository.partition("/")[2]

    @property
    def ref(self) -> str:
        """The reference by digest, REPOSITORY@sha256:…; of a loaded image REPOSITORY:d-…"""
        if self.loaded:
            return f"{self.repository}:{self.tag}"
        return f"{self.repository}@{self.digest}"

    @property
    def tag(self) -> str:
        """The tag of these bytes, for charts that only take tags; it never moves."""
        return digest_tag(self.digest)

    @property
    def semver(self) -> str:
        """The tag as a semantic version, for charts that compare it (``semverCompare``)."""
        return semver_tag(self.digest)

    @property
    def tags(self) -> tuple[str, str]:
        """The tags under which these bytes are published; they never move."""
        return digest_tags(self.digest)

    @property
    def digests(self) -> frozenset[str]:
        """The digests that a container runtime may report for this image."""
        return frozenset(filter(None, (self.digest, *self.configs.values())))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PublishedImage:
        """The image from the data that ``dataclasses.asdict`` gives.

        The older form without platforms, with one digest ``config``, is read too. Raises
        ``KeyError`` or ``TypeError`` for other data.
        """
        known = data["configs"] if "configs" in data else {"": data["config"]}
        configs = {platform: config for platform, config in known.items() if config}
        return cls(data["repository"], data["digest"], configs, bool(data.get("loaded", False)))


def images_from_dict(data: Mapping[str, Any]) -> dict[str, PublishedImage]:
    """Published images by component, from plain data; raises what ``from_dict`` raises."""
    return {name: PublishedImage.from_dict(image) for name, image in data.items()}
