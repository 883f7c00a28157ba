"""Base images: the bytes behind a reference, as Docker's own store has them."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from print_project import CONFIG, prints, write

from localloop.__main__ import main
from localloop.config.project import load_project
from localloop.fingerprint.bases import Bases
from localloop.fingerprint.explain import last_bases, save_manifest
from localloop.session import Session
from localloop.system.docker import Docker

PINNED = "x@sha256:" + "a" * 64


def test_a_pinned_reference_is_its_digest_and_docker_is_not_asked() -> None:
    docker = Docker(environ={"DOCKER_HOST": "unix:///nonexistent"})  # raises if it is asked
    assert Bases(docker).local(PINNED) == "sha256:" + "a" * 64
    assert Bases(docker).missing([PINNED]) == []


@pytest.fixture
def base(tmp_path: Path) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A base image's reference, and how to make it mean other bytes."""
    reference = f"localloop-test/base:{uuid.uuid4().hex[:12]}"
    made: list[str] = []

    def tag(content: str) -> None:
        write(tmp_path / "base/Dockerfile", "FROM scratch\nCOPY content /\n")
        write(tmp_path / "base/content", content + reference)
        argv = ["docker", "buildx", "build", "-q", "--provenance=false", "--tag", reference]
        done = subprocess.run(
            [*argv, "--load", str(tmp_path / "base")], check=True, capture_output=True, text=True
        )
        made.append(done.stdout.strip())

    yield reference, tag
    subprocess.run(["docker", "rmi", "--force", *made], capture_output=True, check=False)


def project_on(root: Path, reference: str) -> Path:
    write(root / "docker/Dockerfile", f"ARG BASE={reference}\nFROM $BASE\nCOPY . /\n")
    return root


def look(root: Path) -> str:
    project = load_project(root, environ={})
    return Session(project, os.environ, writes=False).fingerprints.of("app").value


@pytest.mark.docker
def test_differs_base_image_retagged(root: Path, base: tuple[str, Callable[[str], None]]) -> None:
    reference, tag = base
    project_on(root, reference)
    seen = []
    for content in ("one", "two", "one"):
        tag(content)
        seen.append(look(root))
    assert seen[0] == seen[2] != seen[1]


@pytest.mark.docker
def test_differs_base_image_of_a_needed_image_retagged(
    root: Path, base: tuple[str, Callable[[str], None]]
) -> None:
    reference, tag = base
    project_on(root, reference)
    write(root / "docker/Dockerfile.other", "FROM app\nCOPY . /\n")
    write(
        root / "localloop.yml", CONFIG.replace("context: other}", "context: other, needs: [app]}")
    )
    project = load_project(root, environ={})
    seen = set()
    for content in ("one", "two"):
        tag(content)
        session = Session(project, os.environ, writes=False)
        other = session.fingerprints.of("other")
        # What the dependant hashes is what the image itself has.
        assert other.facts["needs"] == {"app": session.fingerprints.of("app").value}
        seen.add(other.value)
    assert len(seen) == 2


@pytest.mark.docker
def test_base_image_retagged_is_a_reason(
    root: Path,
    base: tuple[str, Callable[[str], None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``localloop plan`` with Docker and without a cluster."""
    monkeypatch.setenv("CLUSTER_NAME", f"none-{uuid.uuid4().hex[:8]}")
    reference, tag = base
    project_on(root, reference)
    tag("one")
    session = Session(load_project(root), os.environ)
    for name in ("app", "other", "web"):
        save_manifest(root, session.fingerprints.of(name))
    assert main(["plan", "--project", str(root)]) == 0
    assert "inputs_changed" not in capsys.readouterr().out
    tag("two")
    assert main(["plan", "--project", str(root)]) == 0
    shown = capsys.readouterr().out
    assert f"inputs_changed (base image {reference})\n" in shown
    assert shown.startswith("cluster is created first (cluster_missing)")
    assert "base: unchecked" not in shown


@pytest.mark.docker
def test_base_image_that_is_gone_is_that_of_the_last_build(
    root: Path, base: tuple[str, Callable[[str], None]]
) -> None:
    reference, tag = base
    project_on(root, reference)
    tag("one")
    session = Session(load_project(root, environ={}), os.environ)
    first = session.fingerprints.of("app")
    save_manifest(root, first)
    subprocess.run(["docker", "rmi", "--force", reference], check=True, capture_output=True)
    session = Session(load_project(root, environ={}), os.environ)
    assert session.fingerprints.missing_bases(session.project.images["app"]) == [reference]
    assert session.fingerprints.of("app").value == first.value


def test_base_image_that_was_never_known_is_hashed_as_unknown(root: Path) -> None:
    first = prints(root, base_digests={})
    assert first.facts["bases"] == {"alpine:3": None}
    assert first.value != prints(root).value


def test_the_newest_build_that_knew_a_base_image_says_what_it_was(root: Path) -> None:
    def kept(name: str, edit: str, bases: dict[str, str]) -> None:
        write(root / "src/main.c", edit)
        save_manifest(root, prints(root, name, base_digests=bases))
        time.sleep(0.01)  # they are ordered by their times

    kept("app", "1", {"alpine:3": "sha256:old"})
    kept("app", "2", {"alpine:3": "sha256:new"})
    kept("app", "3", {})
    kept("web", "3", {})
    temporary = root / ".cache/localloop/manifests/.app.0123456789abcdef.77"
    write(temporary, "half")
    assert last_bases(root, ["alpine:3", "debian:12"]) == {"alpine:3": "sha256:new"}
    assert last_bases(root, []) == {}
    assert temporary.read_text() == "half"  # another run is writing it
