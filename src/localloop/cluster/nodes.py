"""Files on the cluster's nodes, which are Docker containers: inspect, hash and put."""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..config.model import NodeFile
from ..errors import LocalloopError
from ..system.docker import Docker

Stat = dict[str, Any]
"""{size, mode, mtime} of a file as Docker reports it."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def stat(docker: Docker, node: str, path: str) -> Stat | None:
    """A file's size, mode and mtime, in one request; ``None`` if it does not exist."""
    found = docker.stat_path(node, path)
    return {key: found[key] for key in ("size", "mode", "mtime")} if found else None


def digest(docker: Docker, node: str, path: str) -> str:
    """The sha256 of a file, computed on the node; empty if there is no regular file at ``path``."""
    code, output = docker.engine.execute(node, ["sha256sum", "--", path], timeout=60)
    found = _SHA256.match(output.removeprefix("\\"))
    return found.group(0) if code == 0 and found else ""


def put(docker: Docker, node: str, file: NodeFile, content: bytes) -> None:
    """Put ``content`` at the file's destination atomically.

    It is sent under a temporary name and replaces the file once its digest, computed on the node,
    is right. Raises ``LocalloopError``: ``put_failed`` or
    ``node_file_damaged``.
    """
    directory, name = posixpath.split(file.dest)
    temporary = f".{name}.localloop"
    place = posixpath.join(directory, temporary)
    _must(docker, node, file, ["mkdir", "-p", "--", directory])
    owner, _, group = file.owner.partition(":")
    owners = int(owner), int(group or owner)
    archive = _archive({temporary: content}, mode=int(file.mode, 8), owners=owners)
    docker.engine.put_archive(node, directory, archive)
    held = digest(docker, node, place)
    if held != hashlib.sha256(content).hexdigest():
        docker.engine.execute(node, ["rm", "-f", "--", place])
        raise LocalloopError(
            f"node_file_damaged:{file.name}",
            f"{place} on {node} was damaged on the way: it has another sha256 than what was sent",
            component=file.name,
            hint="Run the deploy again; if it happens again, check the node's disk.",
        )
    _must(docker, node, file, ["mv", "-f", "-T", "--", place, file.dest])


def put_copies(docker: Docker, node: str, paths: Iterable[str], content: bytes) -> None:
    """Put ``content`` at each of the absolute paths, as root's with mode 644, in one request.

    Missing directories are made.
    """
    files = {path.removeprefix("/"): content for path in paths}
    docker.engine.put_archive(node, "/", _archive(files, mode=0o644))


def require_stat(docker: Docker, node: str, file: NodeFile) -> Stat:
    """The stat of a file that was just put; raises ``node_file_missing`` if it is gone."""
    found = stat(docker, node, file.dest)
    if found is None:
        raise LocalloopError(
            f"node_file_missing:{file.name}",
            f"{file.dest} is gone from {node} right after it was put",
            component=file.name,
        )
    return found


def _must(docker: Docker, node: str, file: NodeFile, argv: list[str]) -> None:
    code, output = docker.engine.execute(node, argv)
    if code:
        raise LocalloopError(
            f"put_failed:{file.name}",
            f"{' '.join(argv)} on {node}: {output.strip()[-300:] or f'exit {code}'}",
            component=file.name,
            hint=f"Look at {file.dest} on the node: docker exec {node} ls -la "
            f"{posixpath.dirname(file.dest)}",
        )


def _archive(files: Mapping[str, bytes], *, mode: int, owners: tuple[int, int] = (0, 0)) -> bytes:
    """A tar archive of files by name; ``owners`` are the numbers of user and group."""
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), mode, time.time()
            member.uid, member.gid = owners
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
