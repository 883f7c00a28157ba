"""Fixtures of the tests on a real cluster: one that the processes of the session keep.

It is created by the first deploy of the first test that needs it and removed at the end. The tests
in tests/unit use none of this.
"""

from __future__ import annotations

import fcntl
import os
import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.names import BORROWS, CLUSTER, WORKER, MakeProject
from harness.nodeimage import made_node_image
from harness.outside import Cluster
from harness.part import part
from harness.project import Project
from harness.run import Run
from harness.shared_cluster import borrowed, lent
from localloop.system.environ import without_proxy

pytest_plugins = ["harness.parttimes", "harness.real_world", "harness.lanes"]


def pytest_configure() -> None:
    # Set before the workers of pytest-xdist start, so that they all have the same one.
    os.environ.setdefault("SEED", str(random.SystemRandom().randrange(10**9)))
    # Behind a proxy the tests, too, ask none for the cluster and for servers of their own.
    os.environ.update(without_proxy(os.environ))
    # A shell without job control makes background processes ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"random inputs: SEED={os.environ['SEED']}"


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of generated inputs: SEED, or a new one for each session, printed at its start."""
    print(f"SEED={os.environ['SEED']}")
    return int(os.environ["SEED"])


@pytest.fixture(scope="session")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The XDG_STATE_HOME of all that use this process's cluster."""
    if not WORKER:
        return tmp_path_factory.mktemp("state")
    state = tmp_path_factory.getbasetemp().parent / f"state-{CLUSTER}"
    state.mkdir(exist_ok=True)
    return state


@pytest.fixture(scope="session")
def node_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image that clusters are made of. Where Docker lacks it, one process makes it."""
    with (
        part("node image"),
        (tmp_path_factory.getbasetemp().parent / "node-image").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        return made_node_image()


@pytest.fixture(scope="session")
def first_deploy(
    node_image: str, state_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Run]]:
    """The cluster's first deploy, and the project that was deployed."""
    cluster = Cluster(CLUSTER, state_home)
    cluster.remove()
    project = Project(tmp_path_factory.mktemp("first") / "project", "first", cluster)
    run = project.start("deploy").end()
    if run.code == 0:
        with lent(state_home):
            yield project, run
    else:
        yield project, run
    project.localloop("down", "--cluster", "--force", code=None)
    left = cluster.objects_of_docker()
    cluster.remove()
    assert not left, f"`localloop down --cluster --force` left {left}"


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, state_home: Path) -> Iterator[Cluster]:
    """A running cluster that is kept between tests."""
    if BORROWS:
        with borrowed(state_home):
            yield Cluster(CLUSTER, state_home)
        return
    project, run = request.getfixturevalue("first_deploy")
    assert run.code == 0, f"there is no cluster to test on:\n{run.text}"
    yield project.cluster


@pytest.fixture
def make_project(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[MakeProject]:
    """Make copies of examples/hello, by default with a name that is unique to the test."""
    own = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))[:40]
    made: list[Project] = []

    def make(name: str = "", directory: str = "") -> Project:
        name = name or own.strip("-")
        made.append(Project(tmp_path / (directory or name), name, cluster))
        return made[-1]

    yield make
    for project in made:
        project.end_runs()
    for name in sorted({project.name for project in made}):
        cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
        cluster.kubectl("delete", "secret", "-n", "localloop", name, "--ignore-not-found")


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """A project that was never deployed."""
    return make_project()


@pytest.fixture
def deployed(project: Project) -> Project:
    """A project that is deployed and Ready."""
    project.deploy()
    return project
