"""Failures of one bake: which component they belong to, and what is retried. BuildKit is a fake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.build import retry as baking
from localloop.build.bake import LOST, TAKEN, Target
from localloop.build.retry import bake, combined_error, with_needs, without
from localloop.errors import LocalloopError
from localloop.registry.published import PublishedImage
from localloop.system.redact import Redactor


def target(name: str, *needs: str) -> Target:
    contexts = {need: f"target:{need}" for need in needs}
    return Target(name, Path("/p"), Path("/p/D"), "r", "linux/amd64", contexts=contexts)


# base <- api <- edge; web stands alone.
BASE, API, EDGE, WEB = target("base"), target("api", "base"), target("edge", "api"), target("web")
ALL = [BASE, API, EDGE, WEB]


def names(targets: Sequence[Target]) -> list[str]:
    return [each.component for each in targets]


class FakeBuildKit:
    """``broken``: components whose builds fail, named by BuildKit or not; ``lost``: how often the
    connection is lost, or what ``luck`` says, before anything works."""

    def __init__(self, *broken: str, named: bool = True, lost: int = 0, luck: str = LOST) -> None:
        self.broken, self.named, self.lost, self.luck = broken, named, lost, luck
        self.calls: list[list[str]] = []
        self.waits = 0

    def run(self, targets: Sequence[Target], **_: Any) -> dict[str, dict[str, str]]:
        self.calls.append(names(targets))
        if self.lost:
            self.lost -= 1
            raise LocalloopError(self.luck, "error reading from server: EOF")
        for name in names(targets):
            if name in self.broken:
                component = name if self.named else None
                raise LocalloopError("build_failed", f"{name} is broken", component=component)
        return {name: PublishedImage(f"r/{name}", f"sha256:{name}") for name in names(targets)}

    def wait(self, _seconds: float) -> None:
        self.waits += 1


def baked(
    fake: FakeBuildKit, monkeypatch: pytest.MonkeyPatch, targets: Sequence[Target] = ALL
) -> tuple[list[str], list[str | None]]:
    monkeypatch.setattr(baking, "run_bake", fake.run)
    project = SimpleNamespace(root=Path("/p"), builder=None)
    session: Any = SimpleNamespace(project=project, docker=SimpleNamespace(wait=fake.wait))
    digests, failures = bake(session, targets, lambda _component, _text: None, Redactor())
    return sorted(digests), [failure.component for failure in failures]


@pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
@pytest.mark.parametrize(
    ("broken", "built", "failed"),
    [
        ([], ["api", "base", "edge", "web"], []),
        (["web"], ["api", "base", "edge"], ["web"]),
        (["edge"], ["api", "base", "web"], ["edge"]),
        (["web", "edge"], ["api", "base"], ["edge", "web"]),
    ],
)
def test_what_does_not_need_the_failed_one_is_built(
    broken: list[str],
    built: list[str],
    failed: list[str],
    named: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = baked(FakeBuildKit(*broken, named=named), monkeypatch)
    assert (found[0], sorted(map(str, found[1]))) == (built, failed)


def test_what_needs_the_failed_one_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeBuildKit("base")
    assert baked(fake, monkeypatch) == (["web"], ["base"])
    assert fake.calls == [["base", "api", "edge", "web"], ["web"]]


def test_a_single_failure_is_its_component_s(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeBuildKit("web", named=False)
    assert baked(fake, monkeypatch, [WEB]) == ([], ["web"])
    assert fake.calls == [["web"]]


@pytest.mark.parametrize("luck", [LOST, TAKEN])
def test_bad_luck_is_retried_twice(luck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeBuildKit(lost=2, luck=luck)
    assert baked(fake, monkeypatch) == (["api", "base", "edge", "web"], [])
    assert fake.waits == 2


@pytest.mark.parametrize("luck", [LOST, TAKEN])
def test_lasting_bad_luck_is_named(luck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeBuildKit(lost=9, luck=luck)
    with pytest.raises(LocalloopError) as caught:
        baked(fake, monkeypatch)
    assert caught.value.reason == luck
    assert len(fake.calls) == 3


def test_other_errors_belong_to_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_targets: Sequence[Target], **_: Any) -> dict[str, dict[str, str]]:
        raise LocalloopError("tool_timeout", "docker did not end within 3600 s")

    fake = FakeBuildKit()
    monkeypatch.setattr(fake, "run", run)
    with pytest.raises(LocalloopError, match="did not end"):
        baked(fake, monkeypatch)


def test_chains() -> None:
    assert names(with_needs(ALL, "edge")) == ["base", "api", "edge"]
    assert names(without(ALL, "base")) == ["web"]
    assert names(without(ALL, "edge")) == ["base", "api", "web"]


def test_several_failures_are_one_error() -> None:
    first = LocalloopError("build_failed:a", "no crate", component="a")
    second = LocalloopError("build_failed:b", "no file", component="b")
    assert combined_error([first]) is first
    assert combined_error([first, second]).message == "a: no crate\nb: no file"
