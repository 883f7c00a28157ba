"""What is done about a registry that does not hold what was pushed: once, then named.

Registry and BuildKit are scripted fakes; tests/faults damages a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from localloop.build.bake import Target
from localloop.errors import LocalloopError
from localloop.publish import images as builds
from localloop.registry.published import PublishedImage

WEB, API = (Target(name, Path("/p"), Path("/p/D"), "r", "linux/amd64") for name in ("web", "api"))
BLOB = "sha256:" + "a" * 64


class Fakes:
    """``damaged``: the components whose blobs are damaged, one set for each look; ``removed``:
    what a look at the volume finds; ``run`` gives each target a new digest."""

    def __init__(self, *damaged: set[str], removed: tuple[str, ...] = (), full: bool = False):
        self.damaged = list(damaged)
        self.removed, self.full = list(removed), full
        self.runs: list[list[str]] = []
        self.registry_container_name = "localloop-x-registry"

    def broken(self, _: Any, digests: dict[str, Any]) -> dict[str, list[str]]:
        return {name: [BLOB] for name in self.damaged.pop(0) if name in digests}

    def refuse_full(self, _: Any) -> None:
        if self.full:
            raise LocalloopError("disk_full", "no room")

    def run(self, targets: Sequence[Target]) -> tuple[dict[str, dict[str, str]], list[Any]]:
        self.runs.append([target.component for target in targets])
        return {target.component: PublishedImage("r", "new") for target in targets}, []


def mended(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, failures: list[LocalloopError]
) -> tuple[dict[str, list[str]], dict[str, str], list[LocalloopError]]:
    monkeypatch.setattr(builds, "_broken", fakes.broken)
    monkeypatch.setattr(builds, "refuse_full", fakes.refuse_full)
    monkeypatch.setattr(builds, "remove_damaged", lambda _: fakes.removed)
    session: Any = fakes
    failed = {failure.component for failure in failures}
    digests = {name: PublishedImage("r", "old") for name in ("web", "api") if name not in failed}
    said, found, left = builds._mend(session, [WEB, API], digests, failures, fakes.run)
    return said, {name: entry.digest for name, entry in found.items()}, left


def push_failed(component: str) -> LocalloopError:
    said = "docker buildx bake failed: ERROR: received status: 500 Internal Server Error"
    return LocalloopError("build_failed", said, component=component)


def test_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(set())
    assert mended(fakes, monkeypatch, []) == ({}, {"web": "old", "api": "old"}, [])
    assert fakes.runs == []


def test_only_what_is_damaged_is_pushed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes({"web"}, set(), removed=(BLOB,))
    said, digests, failures = mended(fakes, monkeypatch, [])
    assert said == {"web": [f"registry_corrupt: {BLOB} removed and pushed again"]}
    assert (digests, failures) == ({"web": "new", "api": "old"}, [])
    assert fakes.runs == [["web"]]


def test_once_then_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes({"web"}, {"web"}, removed=(BLOB,))
    with pytest.raises(LocalloopError) as caught:
        mended(fakes, monkeypatch, [])
    assert (caught.value.reason, caught.value.component) == ("registry_corrupt", "web")
    assert "docker volume rm localloop-x-registry" in str(caught.value)
    assert len(fakes.runs) == 1


def test_a_refused_push_over_damage_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(set(), set(), removed=(BLOB,))
    other = LocalloopError("build_failed", "no such crate", component="tool")
    _, digests, failures = mended(fakes, monkeypatch, [push_failed("api"), other])
    assert (digests, failures) == ({"web": "old", "api": "new"}, [other])
    assert fakes.runs == [["api"]]


def test_a_refused_push_without_damage_stays_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(set())
    failure = push_failed("api")
    assert mended(fakes, monkeypatch, [failure]) == ({}, {"web": "old"}, [failure])
    assert fakes.runs == []


def test_a_full_disk_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalloopError) as caught:
        mended(Fakes(set(), full=True), monkeypatch, [push_failed("api")])
    assert caught.value.reason == "disk_full"
