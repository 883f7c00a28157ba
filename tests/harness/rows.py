"""A pytest plugin: with ``-n 2 --dist loadscope``, two rows of tests on clusters, side by side.

While the first worker waits for the node image, the second does the tests without a cluster, file
by file. In both rows the modules that make a cluster of their own come first, and then those that
share the worker's: so a worker has one cluster at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FIRST, WITHOUT_CLUSTER, SECOND, REST = range(4)
OWN_CLUSTER = (
    "test_e2e_relay",
    "test_e2e_bootstrap",
    "test_faults_cluster",
    "test_e2e_three_nodes",
    "test_scenarios",
)


class Rows(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return row_of(nodeid)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rows | None:
    return Rows(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    clustered = {item.path for item in items if item.get_closest_marker("cluster")}
    items.sort(key=lambda item: _turn(item, on_cluster=item.path in clustered))


def _turn(item: pytest.Item, *, on_cluster: bool) -> tuple[int, int]:
    """The test's place: its row, and within it the modules of OWN_CLUSTER in their order."""
    own = OWN_CLUSTER.index(item.path.stem) if item.path.stem in OWN_CLUSTER else len(OWN_CLUSTER)
    if not on_cluster:
        return WITHOUT_CLUSTER, 0
    return {"e2e": FIRST, "faults": SECOND}.get(row_of(item.nodeid), REST), own


def row_of(nodeid: str) -> str:
    """``e2e`` or ``faults``, which take about equally long, or else the test's own file."""
    path = Path(nodeid.partition("::")[0])
    part = path.parts[1]
    if part in ("faults", "molecule") or path.stem in OWN_CLUSTER[1:]:
        return "faults"
    return "e2e" if part == "e2e" else str(path)
