"""The no-change path: ``localloop deploy`` on a cluster (of fakes) that runs the tree already.

It must import nothing heavy and start nothing: that is what makes it cheap enough to run always.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import FakeApi
from fake_cluster import (
    Answering,
    node,
    note_as_ours,
    registry_container,
    served,
    write_kubeconfig,
)

from localloop.config.project import load_project
from localloop.helm.releases import PROJECT_LABEL
from localloop.kube.objects import object_version, ref_of
from localloop.record.model import ChartState, ImageEntry, Record, encode
from localloop.registry.published import PublishedImage
from localloop.registry.tags import fingerprint_tag
from localloop.session import Session

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
# Modules that a run imports, 123 of them localloop's own. Python's part differs by version.
MEASURED = {(3, 11): 252, (3, 12): 253, (3, 13): 253}
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
CONFIG = {
    "version": 1,
    "project": "hello",
    "images": {"web": {"dockerfile": "Dockerfile"}},
    "charts": {"page": {"path": "chart", "namespace": "hello", "values": {"image": "$web.ref"}}},
}
MANIFEST = json.dumps({"config": {"digest": "sha256:" + "c" * 64}}).encode()
DIGEST = "sha256:" + sha256(MANIFEST).hexdigest()


@dataclass
class Seen:
    """What one run did."""

    code: int
    processes: list[str]
    reads: list[str]  # of localloop.yml
    modules: set[str]
    output: str


@dataclass
class World:
    """A project, and fakes of Docker, its registry and the API server that know it as deployed."""

    root: Path
    api: FakeApi
    listed: list[dict[str, Any]] = field(default_factory=list)
    containers: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)

    def deploy(self) -> Seen:
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(self.root)], capture_output=True, text=True, check=False
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
    seen = world.deploy()
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
    world.deploy()
    without = len(world.api.requests)
    (world.root / "cluster").mkdir()
    (world.root / "cluster" / "node.conf").write_text("a node\n")
    config = {**CONFIG, "cluster": {"inputs": ["cluster/**"]}}
    (world.root / "localloop.yml").write_text(yaml.safe_dump(config))
    first = world.deploy()  # not noted yet: they are accepted
    assert first.code == 0, first.output
    assert "PATCH /api/v1/namespaces/localloop" in world.api.methods()
    before = len(world.api.requests)
    seen = world.deploy()
    assert "Nothing to do" in seen.output
    assert len(world.api.requests) - before == without + 1
    assert banned(seen.modules) == set()
    assert within_budget(seen.modules)
    assert seen.processes == []


def test_an_edit_leaves_that_path(world: World) -> None:
    """The same run, with something to do, imports what is banned: the test above can fail."""
    (world.root / "page.html").write_text("another page\n")
    seen = world.deploy()
    assert "inputs_changed" in seen.output
    assert banned(seen.modules) & {"ansible_runner"}
    assert seen.processes
    assert seen.reads == [str(world.root / "localloop.yml")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    root = tmp_path / "hello"
    (root / "chart").mkdir(parents=True)
    (root / "localloop.yml").write_text(yaml.safe_dump(CONFIG))
    (root / "Dockerfile").write_text("FROM scratch\nCOPY page.html /\n")
    (root / "page.html").write_text("a page\n")
    (root / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: page\nversion: 0.1.0\n")
    monkeypatch.delenv("CLUSTER_NAME", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with ExitStack() as stack:
        api = stack.enter_context(FakeApi())
        made = World(root, api)
        port = stack.enter_context(served(("127.0.0.1", 0), _registry(made)))
        stack.enter_context(served(str(tmp_path / "docker.sock"), _docker(made)))
        api_port = api.server.server_address[1]
        made.listed = [node(api_port)]
        note_as_ours()
        made.containers["localloop-hello-registry"] = registry_container(port)
        write_kubeconfig(api_port)
        _deployed(made, api)
        yield made


def _deployed(world: World, api: FakeApi) -> None:
    """Put into the fakes what a deploy of this tree leaves behind."""
    session = Session(load_project(world.root), os.environ)
    image = session.fingerprints.of_image(session.project.images["web"])
    chart = session.fingerprints.of_chart(session.project.charts["page"])
    api.put(_object("Namespace", "kube-system"))
    page = _object("ConfigMap", "page", namespace="hello")
    labels = {"owner": "helm", "name": "page", "version": "1", "status": "deployed"}
    labels[PROJECT_LABEL] = "hello"
    secret = _object("Secret", "sh.helm.release.v1.page.v1", namespace="hello", labels=labels)
    api.put(page, secret)
    view = {ref_of(obj): obj for obj in api.objects.values()}
    stored = view[ref_of(secret)]["metadata"]
    world.tags = {DIGEST, fingerprint_tag(image.value)}
    held = PublishedImage(session.repository("web"), DIGEST, {"linux/amd64": "sha256:" + "c" * 64})
    state = ChartState(
        transaction="tx",
        fingerprint=chart.value,
        images={"web": held},
        revision=1,
        manifest="m",
        secret={"uid": stored["uid"], "resource_version": stored["resourceVersion"]},
        objects={"v1/ConfigMap/hello/page": object_version(view[ref_of(page)])},
    )
    record = Record("hello", serial=1)
    record.images["web"] = ImageEntry(image.value, held)
    content = b64encode(encode(record.settle("page", state))).decode()
    api.put({**_object("Secret", "hello", namespace="localloop"), "data": {"record": content}})


def _object(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "uid": name, **metadata}}


def _registry(world: World) -> type[Answering]:
    class Handler(Answering):
        def do_GET(self) -> None:
            reference = self.path.rpartition("/")[2]
            self.answer(MANIFEST if not reference or reference in world.tags else None)

    return Handler


def _docker(world: World) -> type[Answering]:
    class Handler(Answering):
        def address_string(self) -> str:
            return "docker"

        def do_GET(self) -> None:
            found: Any = world.containers.get(self.path.rstrip("/").split("/")[-2])
            if self.path.startswith("/containers/json?"):
                found = world.listed
            elif self.path in ("/version", "/info"):
                found = {"Version": "26.1.5"}
            self.answer(json.dumps(found).encode() if found else None)

    return Handler
