"""Inputs that change during a build: what the builder saw of them is unknown."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from print_project import CONFIG, write

from localloop.config.project import load_project
from localloop.fingerprint import stat_cache as statcache
from localloop.session import Session

CLOCK = 0.02
"""Seconds that any file system's clock tells apart."""
TEXT = "int main;"


def edit(path: Path) -> None:
    write(path, "for a moment")
    write(path, TEXT)


def replace(path: Path) -> None:
    write(path.with_name("main.new.log"), TEXT).replace(path)


def rename(path: Path) -> None:
    path.rename(path.with_name("main.old.log")).rename(path)


def change_mode(path: Path) -> None:
    path.chmod(0o600)
    path.chmod(0o644)


def opened(root: Path) -> Session:
    time.sleep(CLOCK)
    project = load_project(root, environ={})
    return Session(project, {}, platform="linux/amd64", blind=True)


@pytest.mark.parametrize("pause", [0.0, 3 * CLOCK], ids=["published-at-once", "published-later"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("change", [edit, replace, rename, change_mode])
def test_changed_and_changed_back_is_moved(
    root: Path,
    change: Callable[[Path], None],
    warm: bool,
    pause: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At each look of the run, also where the change is old enough then to be trusted."""
    monkeypatch.setattr(statcache, "GRAIN_NS", int(CLOCK / 2 * 10**9))
    needing = CONFIG.replace("context: other}", "context: other, needs: [app]}")
    write(root / "localloop.yml", needing)
    write(root / "docker/Dockerfile.other", "FROM app\nCOPY . /\n")
    if warm:
        opened(root).fingerprints.of("app")
    session = opened(root)
    image, needs_it = session.project.images["app"], session.project.images["other"]
    before = session.fingerprints.of("app")
    assert session.fingerprints.of_image(image, fresh=True).moved == ()
    time.sleep(CLOCK)
    change(root / "src/main.c")
    time.sleep(pause)
    after = session.fingerprints.of_image(image, fresh=True)
    assert after.value == before.value
    assert after.moved == ("main.c",)
    assert session.fingerprints.of_image(needs_it, fresh=True).moved == ("main.c",)
    # For the next run it is an input as any other.
    session = opened(root)
    assert session.fingerprints.of_image(image, fresh=True).moved == ()


def test_link_that_led_elsewhere_for_a_moment_is_moved(root: Path) -> None:
    link = root / "src/link"
    link.symlink_to("main.c")
    session = opened(root)
    image = session.project.images["app"]
    before = session.fingerprints.of("app")
    assert session.fingerprints.of_image(image, fresh=True).moved == ()
    time.sleep(CLOCK)
    for target in ("elsewhere", "main.c"):
        link.unlink()
        link.symlink_to(target)
    after = session.fingerprints.of_image(image, fresh=True)
    assert (after.value, after.moved) == (before.value, ("link",))


def test_what_is_ignored_may_move(root: Path) -> None:
    session = opened(root)
    write(root / "src/debug.log", "x")
    write(root / "src/build/out", "x")
    assert session.fingerprints.of_image(session.project.images["app"], fresh=True).moved == ()
