"""A pytest plugin: with ``-n 3 --dist loadscope``, three workers on two clusters.

The first two take the files whose tests need a cluster, each the next one. Those that make a
cluster of their own come first, and then those that share the worker's, so that a worker has one
cluster at a time; of these the long ones come first, so that all workers end together. Files that
disturb their cluster or its registry are for the first worker alone. The third does what needs no
cluster, with a lower priority, and then helps the second one on its cluster, which is idle while a
test waits (see shared_cluster.py).
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from .names import SECOND, THIRD

CLUSTERS = ("e2e", "faults", "real_world", "molecule", "nodeimage")
ALSO_ON_CLUSTERS = ("test_golden_playbook", "test_modules_real")
OWN_CLUSTER = (
    "test_e2e_relay",
    "test_faults_cluster",
    "test_scenarios",
    "test_e2e_bootstrap",
    "test_e2e_behind_a_proxy",
    "test_e2e_by_hand",
    "test_e2e_three_nodes",
)
DISTURBING = (
    "test_faults_registry",
    "test_faults_registry_states",
    "test_gate_verdicts",
    "test_faults_drift",
    # A prune is refused while another run uses the cluster.
    "test_e2e_builds",
    "test_golden_playbook",
    # They look at all that there is, so that nobody else may change it.
    "test_e2e_commands",
    "test_e2e_playbook",
)
ABOUT_THE_FIRST_DEPLOY = ("test_e2e_scenarios",)  # only who made the cluster has seen it


class Lanes(LoadFileScheduling):
    """Gives each worker the next file that it may have."""

    def _reschedule(self, node: Any) -> None:
        if self._files(node):
            super()._reschedule(node)
        elif not node.shutting_down and not self._may_come(node):
            node.shutdown()

    def _assign_work_unit(self, node: Any) -> None:
        if not (files := self._files(node)):
            return  # the first assignment gives one to each, and asks again
        self.workqueue.move_to_end(files[0], last=False)
        super()._assign_work_unit(node)
        if node.gateway.id != THIRD:
            for third in (each for each in self.nodes if each.gateway.id == THIRD):
                self._reschedule(third)

    def _files(self, node: Any) -> list[str]:
        """The files that a worker may have, in turn; the first two help the third in the end."""
        mine = [file for file in self.workqueue if self._may_have(node.gateway.id, Path(file))]
        if mine or node.gateway.id == THIRD:
            return mine
        return [file for file in self.workqueue if not is_on_cluster(Path(file))]

    def _may_have(self, worker: str, file: Path) -> bool:
        if worker == THIRD:
            return not is_on_cluster(file) or (self._second_is_shared() and is_shareable(file))
        if worker == SECOND and file.stem in DISTURBING:
            return False
        return is_on_cluster(file)

    def _may_come(self, node: Any) -> bool:
        """Whether the third worker has to wait until the second one makes its cluster."""
        return node.gateway.id == THIRD and any(is_shareable(Path(file)) for file in self.workqueue)

    def _second_is_shared(self) -> bool:
        """Whether the second worker has had a file for which it makes the cluster it shares."""
        return any(
            is_on_cluster(Path(file)) and Path(file).stem not in OWN_CLUSTER
            for node, files in self.assigned_work.items()
            if node.gateway.id == SECOND
            for file in files
        )


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


def is_shareable(file: Path) -> bool:
    """Whether the tests of a file can run while others use the same cluster."""
    return is_on_cluster(file) and file.stem not in (
        *OWN_CLUSTER,
        *DISTURBING,
        *ABOUT_THE_FIRST_DEPLOY,
    )


def _turn(module: str) -> int:
    order = (*OWN_CLUSTER, *DISTURBING)
    return order.index(module) if module in order else len(order)
