"""What is done about a registry that does not hold what was pushed: once, then named.

The registry's API, the command docker and BuildKit are fakes; tests/faults damages a real registry.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.build.bake import Target
from localloop.errors import LocalloopError
from localloop.publish.images import push_damaged_again
from localloop.registry.published import PublishedImage

WEB, API = (Target(name, Path("/p"), Path("/p/D"), "r", "linux/amd64") for name in ("web", "api"))
OLD, NEW = ("sha256:" + letter * 64 for letter in "ab")
WHOLE = json.dumps({"config": {"digest": "sha256:c", "size": 1}, "layers": []})
BLOBS = "/var/lib/registry/docker/registry/v2/blobs"
# The volume's free space, and the sums of its blobs.
DOCKER = """#!/bin/sh
case "$*" in
*--entrypoint=df*) printf 'head\\n/dev/vda1 1000000 0 {free} 0%% /\\n' ;;
*--entrypoint=find*) printf '{sum}  {blobs}/sha256/aa/{blob}/data\\n' ;;
esac
"""


class Fakes:
    """``damaged``: component and digest of what the registry lacks; ``on_volume``: whether its
    volume has a damaged blob; ``run`` gives each target a new digest."""

    def __init__(self, *damaged: tuple[str, str], on_volume: bool = False, full: bool = False):
        self.damaged, self.on_volume, self.full = set(damaged), on_volume, full
        self.runs: list[list[str]] = []
        self.session: Any = SimpleNamespace(
            registry=self,
            repository_name=str,
            registry_container_name="localloop-x-registry",
            container_name="x-control-plane",
            docker=SimpleNamespace(inspect_container=lambda _: {}),
        )

    def manifest(self, component: str, digest: str) -> Any:
        return None if (component, digest) in self.damaged else SimpleNamespace(body=WHOLE)

    def new_connection(self) -> Any:
        return SimpleNamespace(size=lambda *_: 1, has_bytes_of=lambda *_: True)

    def run(self, targets: Sequence[Target]) -> tuple[dict[str, PublishedImage], list[Any]]:
        self.runs.append([target.component for target in targets])
        return {target.component: PublishedImage("r", NEW) for target in targets}, []

    def docker(self, directory: Path) -> None:
        blob = OLD.removeprefix("sha256:")
        script = directory / "docker"
        script.write_text(
            DOCKER.format(
                free=0 if self.full else 900_000,
                blob=blob,
                blobs=BLOBS,
                sum="d" * 64 if self.on_volume else blob,
            )
        )
        script.chmod(0o755)


def mended(
    fakes: Fakes, directory: Path, patch: pytest.MonkeyPatch, failures: list[LocalloopError]
) -> tuple[dict[str, list[str]], dict[str, str], list[LocalloopError]]:
    fakes.docker(directory)
    patch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    failed = {failure.component for failure in failures}
    digests = {name: PublishedImage("r", OLD) for name in ("web", "api") if name not in failed}
    said, found, left = push_damaged_again(fakes.session, [WEB, API], digests, failures, fakes.run)
    return said, {name: entry.digest for name, entry in found.items()}, left


def push_failed(component: str) -> LocalloopError:
    said = "docker buildx bake failed: ERROR: received status: 500 Internal Server Error"
    return LocalloopError("build_failed", said, component=component)


def test_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes()
    assert mended(fakes, tmp_path, monkeypatch, []) == ({}, {"web": OLD, "api": OLD}, [])
    assert fakes.runs == []


def test_only_what_is_damaged_is_pushed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = Fakes(("web", OLD), on_volume=True)
    said, digests, failures = mended(fakes, tmp_path, monkeypatch, [])
    assert said == {"web": [f"registry_corrupt: {OLD} removed and pushed again"]}
    assert (digests, failures) == ({"web": NEW, "api": OLD}, [])
    assert fakes.runs == [["web"]]


def test_once_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(("web", OLD), ("web", NEW), on_volume=True)
    with pytest.raises(LocalloopError) as caught:
        mended(fakes, tmp_path, monkeypatch, [])
    assert (caught.value.reason, caught.value.component) == ("registry_corrupt", "web")
    assert "docker volume rm localloop-x-registry" in str(caught.value)
    assert len(fakes.runs) == 1


def test_a_refused_push_over_damage_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = Fakes(on_volume=True)
    other = LocalloopError("build_failed", "no such crate", component="tool")
    _, digests, failures = mended(fakes, tmp_path, monkeypatch, [push_failed("api"), other])
    assert (digests, failures) == ({"web": OLD, "api": NEW}, [other])
    assert fakes.runs == [["api"]]


def test_a_refused_push_without_damage_stays_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = Fakes()
    failure = push_failed("api")
    assert mended(fakes, tmp_path, monkeypatch, [failure]) == ({}, {"web": OLD}, [failure])
    assert fakes.runs == []


def test_a_full_disk_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalloopError) as caught:
        mended(Fakes(full=True), tmp_path, monkeypatch, [push_failed("api")])
    assert caught.value.reason == "disk_full"
