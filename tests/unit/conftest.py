"""What every unit test gets: a state home of its own, and the same examples in every run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from print_project import make

from localloop.fingerprint import stat_cache as statcache

settings.register_profile("unit", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def own_state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks, pins and kubeconfigs of a test lie in its own directory."""
    home = tmp_path / "state-home"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is expected of a test does not depend on the proxy of who runs it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small project with an image, another one and a chart."""
    return make(tmp_path / "project")


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test writes its files milliseconds before: let the caches take them nevertheless."""
    monkeypatch.setattr(statcache, "GRAIN_NS", -(10**15))
