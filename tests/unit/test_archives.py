"""Reading one file from untrusted archives, some of them hostile."""

from __future__ import annotations

import io
import tarfile

import pytest

from localloop.system.archives import ArchiveError, read_member, read_members


def archive(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as made:  # type: ignore[call-overload]
        for member, content in members:
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("name", ["bin/tool", "./bin/tool", "/bin/tool", "bin//tool"])
@pytest.mark.parametrize("path", ["bin/tool", "/bin/tool"])
def test_reads_the_file(mode: str, name: str, path: str) -> None:
    made = archive((member("bin", tarfile.DIRTYPE), b""), (member(name), b"bytes"), mode=mode)
    assert read_member(made, path) == b"bytes"


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "other"),
        (tarfile.DIRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
    ],
)
def test_only_a_regular_file_counts(kind: bytes, link: str) -> None:
    made = archive((member("other"), b"secret"), (member("tool", kind, link), b""))
    assert read_member(made, "tool") is None


@pytest.mark.parametrize("name", ["../tool", "a/../../tool", "tool/../../tool", "/../tool", "Tool"])
def test_a_file_elsewhere_does_not_count(name: str) -> None:
    assert read_member(archive((member(name), b"elsewhere")), "tool") is None


def test_a_file_is_bounded_by_its_size_before_it_is_read() -> None:
    made = archive((member("tool"), b"x" * 100), mode="w:gz")
    assert read_member(made, "tool", largest=100) == b"x" * 100
    with pytest.raises(ArchiveError, match="100 bytes, more than 99"):
        read_member(made, "tool", largest=99)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"no archive at all",
        b"\x28\xb5\x2f\xfd" + b"\0" * 600,  # zstd, which tarfile does not know before Python 3.14
        archive((member("tool"), b"x" * 5000), mode="w:gz")[:-30],
        archive((member("tool"), b"x" * 5000))[:3000],
    ],
    ids=["empty", "text", "zstd", "truncated gzip", "truncated"],
)
def test_a_damaged_archive_is_an_error(damaged: bytes) -> None:
    with pytest.raises(ArchiveError):
        read_member(damaged, "tool")


def test_all_regular_files_of_a_folder() -> None:
    made = archive(
        (member("certs.d", tarfile.DIRTYPE), b""),
        (member("certs.d/a:1/hosts.toml"), b"one"),
        (member("certs.d/b/ca.crt"), b"two"),
        (member("certs.d/link", tarfile.SYMTYPE, "/etc/passwd"), b""),
    )
    assert read_members(made) == {"certs.d/a:1/hosts.toml": b"one", "certs.d/b/ca.crt": b"two"}
    with pytest.raises(ArchiveError):
        read_members(made, largest=2)
    with pytest.raises(ArchiveError):
        read_members(b"no archive")
