"""Which worker runs which file: all of them once, nobody waits for ever, clusters undisturbed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.lanes import DISTURBING, OWN_CLUSTER, Lanes, is_on_cluster, is_shareable
from harness.names import SECOND, THIRD

WORKERS = ("gw0", SECOND, THIRD)
FILES = [
    "tests/unit/test_one.py",
    "tests/unit/test_two.py",
    "tests/modules/test_modules_real.py",
    "tests/e2e/test_e2e_builds.py",
    "tests/e2e/test_e2e_scenarios.py",
    "tests/real_world/test_drift.py",
    *(f"tests/faults/{name}.py" for name in DISTURBING),
    *(f"tests/e2e/{name}.py" for name in OWN_CLUSTER[:3]),
]
SUITES = st.lists(
    st.tuples(st.sampled_from(FILES), st.integers(1, 4)),
    min_size=1,
    unique_by=lambda each: each[0],
)


class Worker:
    """A worker of pytest-xdist: it runs a test once it knows the next one, or that none comes."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.ran: list[int] = []
        self._queue: deque[int] = deque()

    def send_runtest_some(self, indexes: Sequence[int]) -> None:
        self._queue.extend(indexes)

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def can_run(self) -> bool:
        return len(self._queue) > (0 if self.shutting_down else 1)

    def run(self) -> int:
        self.ran.append(self._queue.popleft())
        return self.ran[-1]


@settings(max_examples=200)
@given(suite=SUITES, data=st.data())
def test_law_every_test_runs_once_and_clusters_are_undisturbed(
    suite: list[tuple[str, int]], data: st.DataObject
) -> None:
    tests = [f"{file}::test_{n}" for file, count in suite for n in range(count)]
    workers: list[Any] = [Worker(name) for name in WORKERS]
    lanes = _lanes(workers, tests)
    lanes.schedule()
    while able := [worker for worker in workers if worker.can_run]:
        worker = data.draw(st.sampled_from(able))
        lanes.mark_test_complete(worker, worker.run())
        if lanes.tests_finished:
            for each in workers:
                each.shutdown()
    assert sorted(index for worker in workers for index in worker.ran) == list(range(len(tests)))
    for worker in workers:
        for index in worker.ran:
            _may_run(worker.gateway.id, Path(tests[index].partition("::")[0]))


def _lanes(workers: list[Any], tests: list[str]) -> Lanes:
    options = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(
        option=options,
        getvalue=lambda _: ["popen"] * len(WORKERS),
        getoption=lambda *_: None,
        hook=None,
    )
    log: Any = SimpleNamespace(loadscopesched=lambda *_: None, loadfilesched=lambda *_: None)
    lanes = Lanes(config, log)
    lanes.numnodes = len(workers)
    for worker in workers:
        lanes.add_node(worker)
        lanes.add_node_collection(worker, tests)
    return lanes


def _may_run(worker: str, file: Path) -> None:
    if worker == THIRD:
        assert not is_on_cluster(file) or is_shareable(file)
    if worker == SECOND:
        assert file.stem not in DISTURBING


@pytest.mark.parametrize("name", [*DISTURBING, *OWN_CLUSTER, "test_e2e_scenarios"])
def test_what_disturbs_others_is_not_shared(name: str) -> None:
    assert not is_shareable(Path(f"tests/e2e/{name}.py"))
    assert list(Path(__file__).parents[1].glob(f"*/{name}.py")), "no such file"
