"""A pytest plugin: the order of the test files, for two workers that each take the next file.

The first file waits for the node image; meanwhile the second worker does the tests without a
cluster. The files that make a cluster of their own come before those that share the worker's, so a
worker has one cluster at a time. Of these the long ones come first, so that both end together.
"""

from __future__ import annotations

from collections import Counter

import pytest

FIRST, WITHOUT_CLUSTER, OWN_CLUSTER, SHARED_CLUSTER = range(4)
WAITS_FOR_IMAGE = "test_e2e_relay"
OWN = ("test_faults_cluster", "test_scenarios", "test_e2e_bootstrap", "test_e2e_three_nodes")


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    clustered = {item.path for item in items if item.get_closest_marker("cluster")}
    tests = Counter(item.path for item in items)
    items.sort(
        key=lambda item: (
            _turn(item.path.stem, on_cluster=item.path in clustered),
            -tests[item.path],
            item.path,
        )
    )


def _turn(module: str, *, on_cluster: bool) -> int:
    if not on_cluster:
        return WITHOUT_CLUSTER
    if module == WAITS_FOR_IMAGE:
        return FIRST
    return OWN_CLUSTER if module in OWN else SHARED_CLUSTER
