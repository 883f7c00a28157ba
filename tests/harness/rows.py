"""A pytest plugin: with ``-n 2 --dist loadscope``, two queues of tests that wait for clusters.

They run in parallel, each in order; then come the tests without a cluster, file by file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class Rows(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return row_of(nodeid)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rows | None:
    return Rows(config, log) if config.getvalue("dist") == "loadscope" else None


def row_of(nodeid: str) -> str:
    """``e2e`` or ``faults``, which take about equally long, or else the test's own file."""
    path = Path(nodeid.partition("::")[0])
    part = path.parts[1]
    if part in ("faults", "molecule") or path.stem == "test_e2e_bootstrap":
        return "faults"
    return "e2e" if part == "e2e" else str(path)
