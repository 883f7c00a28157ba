"""The no-change path: ``localloop deploy`` on a cluster (of fakes) that runs the tree already.

It must import nothing heavy and start nothing: that is what makes it cheap enough to run always.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from fake_deployed import CONFIG, World, deployed_world

BANNED = {
    "ansible",
    "ansible_runner",
    "asyncio",
    "concurrent",
    "docker",
    "importlib.metadata",
    "jinja2",
    "jsonschema",
    "kubernetes",
    "localloop.ansible",
    "localloop.readiness.wait",
    "localloop.readiness.store",
    "multiprocessing",
    "psutil",
    "requests",
    "tarfile",
    "urllib.request",
    "urllib3",
}
# Modules that a run imports, 148 of them localloop's own. Python's part differs by version.
MEASURED = {(3, 11): 268, (3, 12): 269, (3, 13): 269}
TOLERANCE = 5

RUN = """
import json, sys
started, before = [], set(sys.modules)
spawning = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}
reads = []
def note(event, args):
    if event in spawning:
        started.append(event)
    elif event == "open" and str(args[0]).endswith("/localloop.yml"):
        reads.append(args[0])
sys.addaudithook(note)
from localloop.__main__ import main
code = main(["deploy", "--project", sys.argv[1]])
print(json.dumps([code, started, reads, sorted(set(sys.modules) - before)]), file=sys.stderr)
"""


@dataclass
class Seen:
    """What one run did."""

    code: int
    processes: list[str]
    reads: list[str]  # of localloop.yml
    modules: set[str]
    output: str


def deploy(world: World) -> Seen:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(world.root)], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip(), done.stdout
    code, processes, reads, modules = json.loads(done.stderr.strip().splitlines()[-1])
    return Seen(code, processes, reads, set(modules), done.stdout + done.stderr)


def banned(modules: set[str]) -> set[str]:
    """The modules that are one of those banned, or inside one."""
    return {
        name
        for name in modules
        if any(name == each or name.startswith(each + ".") for each in BANNED)
    }


def within_budget(modules: set[str]) -> bool:
    """Whether it is what was measured: far fewer modules make ``MEASURED`` a bound of nothing."""
    measured = MEASURED.get(sys.version_info[:2], max(MEASURED.values()))
    print(f"{len(modules)} modules; {measured} were measured")
    return abs(len(modules) - measured) <= TOLERANCE


@pytest.mark.parametrize("name", sorted(BANNED))
def test_what_is_banned_exists(name: str) -> None:
    """A module that was renamed or is not installed can never be imported: nothing is banned."""
    assert importlib.util.find_spec(name) is not None


def test_an_unchanged_deploy_imports_nothing_heavy_and_starts_nothing(world: World) -> None:
    seen = deploy(world)
    assert seen.code == 0, seen.output
    assert "Nothing to do" in seen.output
    assert banned(seen.modules) == set()
    assert within_budget(seen.modules)
    assert seen.processes == []
    assert seen.reads == [str(world.root / "localloop.yml")]


def test_its_seconds_are_those_of_a_stopwatch(world: World) -> None:
    """What it prints and reports begins with the process: the interpreter and imports count."""
    shares = []
    for _ in range(3):  # a busy machine may take its time to end a process, but not always
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "localloop", "deploy", "--project", str(world.root)],
            capture_output=True,
            text=True,
            check=True,
        )
        stopwatch = time.monotonic() - begun
        printed = re.search(r"runs this tree \((\d+\.\d\d) s\)", done.stdout)
        report = re.search(r"^Report: (.*)\.md$", done.stdout, re.MULTILINE)
        assert printed and report, done.stdout
        total = json.loads(Path(report[1] + ".json").read_text())["durations_ms"]["total"] / 1000
        assert total <= float(printed[1]) + 0.01 <= stopwatch + 0.03  # ticks of 10 ms, rounding
        shares.append(min(total, float(printed[1])) / stopwatch)
    assert max(shares) > 0.7, shares


def test_declared_cluster_inputs_cost_one_request(world: World) -> None:
    deploy(world)
    without = len(world.api.requests)
    (world.root / "cluster").mkdir()
    (world.root / "cluster" / "node.conf").write_text("a node\n")
    config = {**CONFIG, "cluster": {"inputs": ["cluster/**"]}}
    (world.root / "localloop.yml").write_text(yaml.safe_dump(config))
    first = deploy(world)  # not noted yet: they are accepted
    assert first.code == 0, first.output
    assert "PATCH /api/v1/namespaces/localloop" in world.api.methods()
    before = len(world.api.requests)
    seen = deploy(world)
    assert "Nothing to do" in seen.output
    assert len(world.api.requests) - before == without + 1
    assert banned(seen.modules) == set()
    assert within_budget(seen.modules)
    assert seen.processes == []


def test_an_edit_leaves_that_path(world: World) -> None:
    """The same run, with something to do, imports what is banned: the test above can fail."""
    (world.root / "page.html").write_text("another page\n")
    seen = deploy(world)
    assert "inputs_changed" in seen.output
    assert banned(seen.modules) & {"ansible_runner"}
    assert seen.processes
    assert seen.reads == [str(world.root / "localloop.yml")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with deployed_world(tmp_path, monkeypatch) as made:
        yield made
