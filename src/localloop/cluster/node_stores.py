"""The containerd of each node that is a container here: images are written into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import LocalloopError
from ..registry.client import Registry
from ..registry.oci_archive import layers_of, oci_archive
from ..registry.published import PublishedImage
from ..system.docker import Docker
from . import image_store
from .containers import CLUSTER_LABEL

LOAD_SECONDS = 300.0


class NodeStores:
    """A store for each node; an ``ImageStores``. Only what a node lacks is sent to it."""

    def __init__(
        self,
        docker: Docker,
        nodes: Sequence[str],
        registry: Registry,
        environ: Mapping[str, str],
    ) -> None:
        self._docker = docker
        self._environ = environ
        self._registry = registry
        self.places = nodes

    def holds(self, place: str, image: PublishedImage) -> bool:
        """Whether the node has the image's bytes. One light request."""
        return image_store.holds(self._docker, place, image)

    def known_as(self, place: str, image: PublishedImage) -> str:
        """The id that the node's runtime has for the image's reference. One command there."""
        return image_store.known_as(self._docker, place, image.ref)

    def write(self, place: str, image: PublishedImage, *, again: bool) -> None:
        """Import it with all its names, without the layers that the node has.

        ``again``: the whole image, by the own loader of the tool that made the node if it is kind.
        """
        manifest = self._registry.manifest(image.name, image.digest)
        if manifest is None:
            raise LocalloopError(
                "registry_lost", f"the registry no longer has {image.name}@{image.digest}"
            )
        held = () if again else self._held(place, layers_of(manifest))
        tagged = (f"{image.repository}:{tag}" for tag in image.tags)
        names = (*tagged, f"{image.repository}@{image.digest}")
        archive = oci_archive(self._registry, image.name, manifest, names, without=held)
        if again and (cluster := self._kind_cluster(place)):
            self._load_by_kind(cluster, place, archive)
        else:
            image_store.write(self._docker, place, archive, seconds=LOAD_SECONDS)

    def _held(self, place: str, layers: Sequence[str]) -> list[str]:
        return [each for each in layers if image_store.has_blob(self._docker, place, each)]

    def _kind_cluster(self, place: str) -> str:
        """The cluster that kind knows the node by; empty without a kind that can be used."""
        from . import kind

        container = self._docker.inspect_container(place) or {}
        labels = (container.get("Config") or {}).get("Labels") or {}
        cluster = str(labels.get(CLUSTER_LABEL) or "")
        try:
            return cluster if cluster and kind.require_kind() else ""
        except LocalloopError:
            return ""

    def _load_by_kind(self, cluster: str, place: str, archive: Iterable[bytes]) -> None:
        from tempfile import NamedTemporaryFile

        from .kind import load_archive

        with NamedTemporaryFile(prefix="localloop-", suffix=".tar") as file:
            file.writelines(archive)
            file.flush()
            load_archive(cluster, place, Path(file.name), environ=self._environ)

    def require_startable(self, place: str, component: str, image: PublishedImage) -> None:
        """Raise ``image_pulled_before`` if the kubelet would insist on pulling the image."""
        for config in image.configs.values():
            path, repositories = image_store.pulled_as(self._docker, place, config)
            if path and image.repository not in repositories:
                others = ", ".join(sorted(repositories)) or "another name"
                raise LocalloopError(
                    f"image_pulled_before:{component}",
                    f"{place} has the same image from {others}, so its kubelet does not start it as"
                    f" {image.repository} without a pull",
                    component=component,
                    hint="Have the kubelet forget it, then run again (pods keep running): docker"
                    f" exec {place} rm {path}; docker exec {place} systemctl restart kubelet",
                )

    def look(self, place: str) -> str:
        """How to see what the node has."""
        return (
            f"See what the node has: docker exec {place} crictl images; and whether its disk is"
            f" full: docker exec {place} df -h /var"
        )
