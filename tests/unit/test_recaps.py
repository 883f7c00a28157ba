"""What the recap of down.yml and prune.yml counts, also where no host stands for what has gone.

The playbooks, roles and modules are the real ones, run by ansible-playbook. Docker, the registry,
the API server and helm are fakes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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

from localloop.record.model import Record, encode
from localloop.registry.tags import digest_tag
from localloop.system.paths import content_dir

pytestmark = pytest.mark.slow

Object = dict[str, Any]
CONFIG = {
    "version": 1,
    "project": "hello",
    "cluster": {"name": "hello"},
    "images": {"web": {"dockerfile": "Dockerfile"}},
    "charts": {"page": {"path": "chart", "namespace": "hello"}},
}
# Ansible gives a task with run_once to the first host.
FIRST = "web"
HELM = """\
#!{python}
import sys, urllib.request
words = sys.argv[1:]
if "version" in words:
    print("v4.1.4")
else:
    secret = "sh.helm.release.v1." + words[-1] + ".v1"
    where = "{server}/api/v1/namespaces/hello/secrets/" + secret
    urllib.request.urlopen(urllib.request.Request(where, method="DELETE")).read()
"""


@dataclass
class World:
    """The project ``hello``, and fakes of what it is deployed on."""

    root: Path
    environ: dict[str, str]
    api: FakeApi
    # The registry's images: of each repository the tags with their manifests' bytes.
    images: dict[str, dict[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    containers: dict[str, Object] = field(default_factory=dict)

    def has_record(self) -> None:
        data = {"record": b64encode(encode(Record("hello", serial=1))).decode()}
        labels = {"localloop-project": "hello"}
        self.api.put({**secret("hello", "localloop", labels), "data": data})

    def has_release(self, name: str) -> None:
        labels = {"owner": "helm", "name": name, "version": "1", "status": "deployed"}
        labels["localloop-project"] = "hello"
        self.api.put(secret(f"sh.helm.release.v1.{name}.v1", "hello", labels))

    def has_image(self, component: str) -> None:
        config = json.dumps({"created": "2026-01-01T00:00:00Z", "author": component}).encode()
        self.blobs[digest(config)] = config
        manifest = json.dumps({"config": {"digest": digest(config)}}).encode()
        self.images[f"hello/{component}"] = {digest_tag(digest(manifest)): manifest}

    def play(self, playbook: str, *words: str) -> dict[str, int]:
        """Run a playbook; what its recap counts as changed, by host."""
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), *words, f"playbooks/{playbook}"],
            cwd=content_dir(),
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "[WARNING]" not in said
        recap = said[said.index("PLAY RECAP") :]
        counts = dict(re.findall(r"^(\S+) +: .*\bchanged=(\d+)", recap, re.MULTILINE))
        assert counts.keys() == {"web", "page"}, said
        return {host: int(count) for host, count in counts.items() if count != "0"}

    def three_times(self, playbook: str, *words: str) -> list[dict[str, int]]:
        """What changed with --check, for real, and again."""
        return [self.play(playbook, *words, *check) for check in (("--check",), (), ())]


def secret(name: str, namespace: str, labels: dict[str, str]) -> Object:
    metadata = {"name": name, "namespace": namespace, "uid": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}}


def digest(content: bytes) -> str:
    return "sha256:" + sha256(content).hexdigest()


def test_down_of_the_record_alone(world: World) -> None:
    world.has_record()
    assert world.three_times("down.yml") == [{FIRST: 1}, {FIRST: 1}, {}]


@pytest.mark.parametrize("recorded", [True, False])
def test_down_of_what_was_left_behind(world: World, recorded: bool) -> None:
    world.has_release("renamed")
    if recorded:
        world.has_record()
    assert world.three_times("down.yml") == [{FIRST: 1}, {FIRST: 1}, {}]


def test_down_of_a_component_counts_for_that_component_only(world: World) -> None:
    world.has_record()
    world.has_release("page")
    world.has_release("renamed")
    assert world.three_times("down.yml") == [{"page": 1}, {"page": 1}, {}]


def test_down_takes_a_profile(world: World) -> None:
    (world.root / "localloop.yml").write_text(yaml.safe_dump({**CONFIG, "profiles": {"fast": {}}}))
    world.has_record()
    world.play("down.yml", "--extra-vars=down_profile=fast")
    (report,) = (world.root / ".cache" / "deploy-reports").glob("tx-*.json")
    assert json.loads(report.read_text())["header"]["profile"] == "fast"


def test_down_of_nothing(world: World) -> None:
    assert world.play("down.yml") == {}


def test_prune_of_images_of_a_former_component(world: World) -> None:
    world.has_image("gone")
    expected = [{FIRST: 1}, {FIRST: 1}, {}]
    assert world.three_times("prune.yml", "--extra-vars=prune_keep=0") == expected


def test_prune_of_a_component_counts_for_that_component_only(world: World) -> None:
    world.has_image("web")
    world.has_image("gone")
    expected = [{"web": 1}, {"web": 1}, {}]
    assert world.three_times("prune.yml", "--extra-vars=prune_keep=0") == expected


def test_prune_of_nothing(world: World) -> None:
    world.has_image("web")
    assert world.play("prune.yml") == {}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    root = tmp_path / "hello"
    (root / "chart").mkdir(parents=True)
    (root / "localloop.yml").write_text(yaml.safe_dump(CONFIG))
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: page\nversion: 0.1.0\n")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "DEPLOY_", "KUBE", "LOCALLOOP_", "DOCKER_"))
        and key not in ("CI", "CLUSTER_NAME")
    }
    environ = {
        **kept,
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "DOCKER_HOST": f"unix://{tmp_path}/docker.sock",
        "LOCALLOOP_PROJECT": str(root),
        "PATH": f"{binaries}:{os.environ['PATH']}",
        # Not from an installed localloop but from this checkout, as the test itself.
        "PYTHONPATH": str(content_dir() / "src"),
    }
    with ExitStack() as stack:
        api = stack.enter_context(FakeApi())
        made = World(root, environ, api)
        port = stack.enter_context(served(("127.0.0.1", 0), _registry(made)))
        stack.enter_context(served(str(tmp_path / "docker.sock"), _docker(made, api)))
        api_port = api.server.server_address[1]
        helm = binaries / "helm"
        helm.write_text(HELM.format(python=sys.executable, server=f"http://127.0.0.1:{api_port}"))
        helm.chmod(0o755)
        metadata = {"name": "kube-system", "uid": "uid"}
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        note_as_ours()
        made.containers["localloop-hello-registry"] = {
            **registry_container(port),
            "Path": "registry",
            "Args": ["serve", "/config.yml"],
        }
        write_kubeconfig(api_port)
        yield made


def _registry(world: World) -> type[Answering]:
    """A fake registry: what prune asks for, and the removal of a manifest."""

    class Handler(Answering):
        def do_GET(self) -> None:
            parts = self.path.partition("?")[0].split("/")
            if parts[-1] == "_catalog":
                self.answer(json.dumps({"repositories": list(world.images)}).encode())
            elif parts[-2:] == ["tags", "list"]:
                tags = list(world.images.get("/".join(parts[2:-2]), ()))
                self.answer(json.dumps({"tags": tags}).encode())
            elif parts[-2] == "manifests":
                self.answer(world.images["/".join(parts[2:-2])].get(parts[-1]))
            elif parts[-2] == "blobs":
                self.answer(world.blobs.get(parts[-1]))
            else:
                self.answer(b"{}")  # /v2/

        def do_DELETE(self) -> None:
            *parts, wanted = self.path.split("/")
            tags = world.images["/".join(parts[2:-1])]
            for tag in [tag for tag, body in tags.items() if digest(body) == wanted]:
                del tags[tag]
            self.answer(b"", status=202)

    return Handler


def _docker(world: World, api: FakeApi) -> type[Answering]:
    """A fake Docker: the cluster's containers; whatever is executed in one ends well."""

    class Handler(Answering):
        def address_string(self) -> str:
            return "docker"

        def do_GET(self) -> None:
            path = re.sub(r"^/v1\.\d+", "", self.path.partition("?")[0])
            found: Any = world.containers.get(path.split("/")[-2])
            if path == "/containers/json":
                found = [node(api.server.server_address[1])]
            elif path in ("/version", "/info"):
                found = {"Version": "26.1.5", "ApiVersion": "1.45"}
            elif path.startswith("/exec/"):
                found = {"Running": False, "ExitCode": 0}
            self.answer(json.dumps(found).encode() if found else None)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer(b"" if self.path.endswith("/start") else b'{"Id": "1"}')

    return Handler
