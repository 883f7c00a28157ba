"""A pytest plugin: with ``-n 3 --dist loadscope``, two workers on clusters and one for the rest.

The first two take the files whose tests need a cluster, each the next one. Those that make a
cluster of their own come first, and then those that share the worker's, so that a worker has one
cluster at a time; of these the long ones come first, so that both workers end together. The third
does what needs no cluster, with a lower priority, while the others wait for something.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

THIRD = "gw2"
CLUSTERS = ("e2e", "faults", "molecule", "nodeimage")
ALSO_ON_CLUSTERS = ("test_golden_playbook", "test_modules_real")
OWN_CLUSTER = (
    "test_e2e_relay",
    "test_faults_cluster",
    "test_scenarios",
    "test_e2e_bootstrap",
    "test_e2e_three_nodes",
)


class Lanes(LoadFileScheduling):
    """Gives each worker the next file of its lane; in the end the first two help the third."""

    def _reschedule(self, node: Any) -> None:
        if node.gateway.id == THIRD and not self._files(on_cluster=False):
            if not node.shutting_down:
                node.shutdown()
            return
        super()._reschedule(node)

    def _assign_work_unit(self, node: Any) -> None:
        files = self._files(on_cluster=node.gateway.id != THIRD)
        if files:
            self.workqueue.move_to_end(files[0], last=False)
        super()._assign_work_unit(node)

    def _files(self, *, on_cluster: bool) -> list[str]:
        return [file for file in self.workqueue if is_on_cluster(Path(file)) == on_cluster]


@pytest.hookimpl
def pytest_configure() -> None:
    if os.environ.get("PYTEST_XDIST_WORKER") == THIRD:
        os.nice(10)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes | None:
    return Lanes(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    root = config.rootpath
    for item in items:
        if item.get_closest_marker("cluster") and not is_on_cluster(item.path.relative_to(root)):
            raise pytest.UsageError(f"{item.nodeid} needs a cluster: see tests/harness/lanes.py")
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (_turn(item.path.stem), -tests[item.path], item.path))


def is_on_cluster(file: Path) -> bool:
    """Whether the tests of a file, relative to the repository, need a cluster."""
    return file.parts[1] in CLUSTERS or file.stem in ALSO_ON_CLUSTERS


def _turn(module: str) -> int:
    return OWN_CLUSTER.index(module) if module in OWN_CLUSTER else len(OWN_CLUSTER)
