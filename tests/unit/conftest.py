"""What every unit test gets: a state home of its own, and the same examples in every run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unit", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def own_state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks, pins and kubeconfigs of a test lie in its own directory."""
    home = tmp_path / "state-home"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    return home
