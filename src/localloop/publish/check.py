"""Read back what was pushed: the manifest by its digest, each blob by its size and its bytes.

A push skips the blobs that the registry claims to have, so a blob whose file is damaged stays
damaged however often it is pushed. The file has to be removed first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from ..build.bake import FULL
from ..errors import LocalloopError
from ..registry.client import Registry
from ..registry.published import PublishedImage
from ..session import Session
from ..system import tools
from ..system.docker_host import DOCKER_HINT, free_space_text

CORRUPT = "registry_corrupt"
# Of larger blobs only the size is checked: one core hashes 100 MB in about 0.3 s.
WHOLE_BYTES = 256 << 20
_AT_ONCE = 4
SCRUB_SECONDS = 600.0
# A disk is full if less than this, and less than 2 %, is free.
ROOM_BYTES = 64 << 20
_ROOT = "/var/lib/registry"
_BLOBS = f"{_ROOT}/docker/registry/v2/blobs"


def broken_blobs(registry: Registry, repository: str, digest: str) -> list[str]:
    """The digests of an image, including its manifest's, that are missing or damaged."""
    manifest = registry.manifest(repository, digest)
    if manifest is None:
        return [digest]
    found = json.loads(manifest.body)
    # Docker's own store copies the sizes that the registry reports, and leaves out 0.
    blobs = {blob["digest"]: blob.get("size", 0) for blob in (found["config"], *found["layers"])}

    def is_whole(digest: str) -> bool:
        mine, size = registry.new_connection(), blobs[digest]
        if mine.size(repository, digest) != size:
            return False
        return size > WHOLE_BYTES or mine.has_bytes_of(repository, digest)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [
            blob for blob, whole in zip(blobs, pool.map(is_whole, blobs), strict=True) if not whole
        ]


def forget_damaged(session: Session, images: Mapping[str, PublishedImage]) -> list[str]:
    """Remove the manifests of damaged images from the registry; returns their components.

    The next deploy finds them missing, builds and pushes them, and so repairs their blobs.
    """
    found = []
    for component, image in images.items():
        repository = session.repository_name(component)
        if broken_blobs(session.registry, repository, image.digest):
            session.registry.delete_manifest(repository, image.digest)
            found.append(component)
    return found


def refuse_full(session: Session) -> None:
    """Raise ``disk_full`` if the registry's volume is full."""
    words = _on_volume(session, "df", ["-Pk", _ROOT]).splitlines()[-1].split()
    size, free = int(words[1]) << 10, int(words[3]) << 10
    if free < min(ROOM_BYTES, size // 50):
        name = session.registry_container_name
        raise LocalloopError(
            FULL,
            f"the registry {name} has no room for what was built:"
            f" {free_space_text(_ROOT, free, size)}",
            hint="Free space on the disk with Docker's volumes, or `localloop prune` old images.",
        )


def refused(failure: LocalloopError) -> bool:
    """Whether a push failed the way it does for a damaged manifest or a full disk."""
    return "500 Internal Server Error" in failure.message


def remove_damaged(session: Session) -> list[str]:
    """Remove every damaged blob from the registry's volume; returns their digests.

    The next push of any image that contains one uploads it again. Raises ``registry_corrupt``.
    """
    found = _on_volume(session, "find", [_BLOBS, "-name", "data", "-exec", "sha256sum", "{}", "+"])
    damaged = damaged_blobs(found)
    if damaged:
        _on_volume(session, "rm", ["-rf", "--", *damaged.values()])
    return list(damaged)


def damaged_blobs(sums: str) -> dict[str, str]:
    """The folder of each damaged blob by digest, from the output of ``sha256sum``."""
    found = {}
    for line in sums.splitlines():
        value, _, path = line.partition("  ")
        folder = path.removesuffix("/data")
        named = folder.rpartition("/")[2]
        if folder.startswith(f"{_BLOBS}/") and folder != path and named != value:
            found[f"sha256:{named}"] = folder
    return found


def _on_volume(session: Session, program: str, words: list[str]) -> str:
    """Run a program from the node's image on the volume of the cluster's registry."""
    node = session.docker.inspect_container(session.container_name) or {}
    argv = [tools.find("docker", hint=DOCKER_HINT), "run", "--rm", "--network=none"]
    argv += ["--volumes-from", session.registry_container_name, f"--entrypoint={program}"]
    argv += [str(node.get("Config", {}).get("Image", "")), *words]
    done = tools.run(argv, timeout=SCRUB_SECONDS)
    if done.returncode:
        raise still_corrupt(session, f"it could not be repaired: {done.stderr.strip()[-300:]}")
    return done.stdout


def still_corrupt(session: Session, said: str, component: str | None = None) -> LocalloopError:
    """The error for damage that has to be repaired by hand."""
    name = session.registry_container_name
    return LocalloopError(
        CORRUPT,
        f"the registry {name} holds damaged blobs, and {said}",
        component=component,
        hint=f"Check the disk, then run `docker rm -fv {name}; docker volume rm {name}`:"
        " the next deploy recreates and fills it.",
    )
