"""Which kind cluster is ours, and what it was created as.

kind has no labels of ours. So each cluster gets a random id: a file in the local state, created
before the cluster, which every node mounts. That also identifies what a create that was killed
left behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..config.node_places import OWNER_DEST
from ..system.paths import cluster_dir, write_private


@dataclass(frozen=True, kw_only=True)
class Creation:
    """What is noted of a cluster that localloop creates.

    ``owner`` is its random id, ``finished`` whether the create ended well, ``kubernetes`` the
    version that its nodes run, ``accepted`` what it lacks and was kept with on request.
    """

    owner: str
    finished: bool = False
    image: str = ""
    kubernetes: str = ""
    accepted: tuple[str, ...] = ()


def noted(name: str) -> Creation | None:
    """What is noted of the cluster; None if localloop did not create one of that name."""
    try:
        found = json.loads(_note(name).read_bytes())
        return Creation(**{**found, "accepted": tuple(found.get("accepted", ()))})
    except (OSError, ValueError, TypeError):
        return None


def begin(name: str, image: str) -> Path:
    """Note that a cluster is about to be created; returns the file that its nodes have to mount."""
    creation = Creation(owner=os.urandom(16).hex(), image=image)
    file = _file(name, creation)
    write_private(file, f"{creation.owner}\n".encode())
    for other in file.parent.iterdir():
        if other != file:
            with suppress(OSError):
                other.rmdir() if other.is_dir() else other.unlink()
    _save(name, creation)
    return file


def restore(name: str) -> None:
    """Write the file that the nodes mount again if it is lost: without it, none of them starts.

    Docker puts an empty directory where it misses a mount's source. Raises ``LocalloopError``
    (``state_unwritable``).
    """
    creation = noted(name)
    file = _file(name, creation) if creation else None
    if creation is None or file is None or file.is_file():
        return
    with suppress(OSError):
        file.rmdir()
    write_private(file, f"{creation.owner}\n".encode())


def finish(name: str, kubernetes: str) -> None:
    """Note that the cluster was created, with the version of Kubernetes that its nodes run."""
    creation = noted(name)
    if creation is not None:
        _save(name, replace(creation, finished=True, kubernetes=kubernetes))


def accept(name: str, lacks: Iterable[str]) -> None:
    """Note what the cluster lacks as accepted, so that it is not replaced for that."""
    creation = noted(name)
    if creation is not None:
        _save(name, replace(creation, accepted=tuple(sorted({*creation.accepted, *lacks}))))


def owns(creation: Creation | None, container: Mapping[str, Any]) -> bool:
    """Whether a node, as ``GET /containers/json`` lists it, mounts the id that is noted.

    Only the file's name is compared: Docker Desktop changes the paths of mounts.
    """
    return creation is not None and any(
        mount.get("Destination") == OWNER_DEST
        and PurePosixPath(str(mount.get("Source"))).name == creation.owner
        for mount in container.get("Mounts") or ()
    )


def _file(name: str, creation: Creation) -> Path:
    return cluster_dir(name) / "owner" / creation.owner


def _note(name: str) -> Path:
    return cluster_dir(name) / "cluster.json"


def _save(name: str, creation: Creation) -> None:
    write_private(_note(name), json.dumps(asdict(creation), sort_keys=True).encode())
