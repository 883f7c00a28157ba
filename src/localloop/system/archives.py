"""Reads regular files from an untrusted tar archive.

Nothing is unpacked: member names are only compared, never opened as paths.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from lzma import LZMAError

LARGEST_BYTES = 1 << 30


class ArchiveError(Exception):
    """The archive cannot be read, or the file in it is too large."""


def read_member(archive: bytes, path: str, *, largest: int = LARGEST_BYTES) -> bytes | None:
    """The content of the regular file at ``path``; None if the archive holds no such file.

    ``archive`` may be compressed. Links, devices and directories of that name do not count.
    ``largest`` is in bytes. Raises ``ArchiveError``.
    """
    wanted = _normal(path)
    found = _regular(archive, lambda name: name == wanted, largest)
    return next((content for _, content in found), None)


def read_members(archive: bytes, *, largest: int = LARGEST_BYTES) -> dict[str, bytes]:
    """The content of each regular file by its path in the archive. Raises as ``read_member``."""
    return dict(_regular(archive, lambda _: True, largest))


def _regular(
    archive: bytes, wanted: Callable[[str], bool], largest: int
) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as members:
            for member in members:
                name = _normal(member.name)
                if not member.isreg() or not wanted(name):
                    continue
                if member.size > largest:
                    raise ArchiveError(f"{name} has {member.size} bytes, more than {largest}")
                content = members.extractfile(member)
                yield name, content.read() if content else b""
    except (tarfile.TarError, zlib.error, LZMAError, EOFError, OSError) as error:
        raise ArchiveError(f"not a readable tar archive: {error}") from error


def _normal(path: str) -> str:
    return posixpath.normpath(path.lstrip("/"))
