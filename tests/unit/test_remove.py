"""What `localloop down` removes: a scripted API server, and a helm that notes how it is called."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import fake_cluster
import pytest
from fake_api import FakeApi
from fake_cluster import OWNER

from localloop.cluster.containers import NodeContainer
from localloop.cluster.hosting import hosting
from localloop.cluster.mirrors import hosts_toml
from localloop.cluster.registry_state import Seen
from localloop.cluster.route import OURS
from localloop.config.project import load_project
from localloop.errors import LocalloopError, UsageError
from localloop.kube.client import ApiUnreachable
from localloop.record.model import ChartState, ImageEntry, NodeFileEntry, Record, encode
from localloop.registry.published import PublishedImage
from localloop.release.failure import ReleaseFailedError
from localloop.release.remove import goes_with_cluster, removal_plan, remove_project
from localloop.session import Session
from localloop.system.paths import cluster_dir, write_private

Object = dict[str, Any]
CONFIG = """\
version: 1
project: demo
images: {app: {dockerfile: Dockerfile}, new: {dockerfile: Dockerfile}}
node_files: {tool: {dockerfile: Dockerfile, file: tool, dest: /opt/tool}}
charts:
  web: {path: chart, namespace: one}
  db: {path: chart, namespace: one}
  old: {path: chart, namespace: one, adopt: true}
"""
DIGEST, SHA256 = "sha256:" + "d" * 64, "5" * 64
IMAGE = PublishedImage("127.0.0.1:5000/demo/app", DIGEST)
RUNS = SimpleNamespace(
    verdict="ok", reason="", nodes=("node",), ours=True, registry_verdict="ok", registry_port=5000
)
STOPPED = SimpleNamespace(**{**vars(RUNS), "verdict": "start", "reason": "cluster_stopped"})
ABSENT = SimpleNamespace(
    verdict="create", reason="cluster_missing", nodes=(), registry_verdict="create"
)


def release(place: str, owner: str = "demo", revision: int = 3) -> Object:
    namespace, _, name = place.partition("/")
    labels = {"owner": "helm", "name": name, "status": "deployed", "version": str(revision)}
    labels |= {"localloop-project": owner} if owner else {}
    metadata = {"name": f"sh.helm.{name}.v{revision}", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}}


def record(*charts: str, project: str = "demo") -> Object:
    found = Record(
        project,
        serial=7,
        images={"app": ImageEntry("fp-app", IMAGE)},
        node_files={
            "tool": NodeFileEntry("tx-1", "fp-tool", SHA256, put=True, nodes={"node": {"size": 1}})
        },
    )
    for name in charts:
        state = ChartState("tx-1", f"fp-{name}", {"app": IMAGE}, revision=3, manifest="m")
        found = found.unsettle(name, state).settle(name, state)
    metadata = {"name": project, "namespace": "localloop", "labels": {"localloop-project": project}}
    data = {"record": base64.b64encode(encode(found)).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


class Helm:
    """A helm on PATH; it notes its calls, and a script says what it does."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "calls"
        self.binary = directory / "helm"
        directory.mkdir()
        self.does("exit 0")

    def does(self, script: str) -> None:
        self.binary.write_text(
            '#!/bin/sh\ncase "$*" in *version*) echo v4.1.4; exit;; esac\n'
            f'echo "$@" >> {self.log}\n{script}\n'
        )
        self.binary.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line[line.index("uninstall") :] for line in lines]


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helm:
    made = Helm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.binary.parent}:/usr/bin:/bin")
    return made


@pytest.fixture
def session(api: FakeApi, tmp_path: Path) -> Any:
    (tmp_path / "localloop.yml").write_text(CONFIG)
    return SimpleNamespace(
        project=load_project(tmp_path, environ={}),
        cluster=RUNS,
        cluster_name="demo",
        docker=SimpleNamespace(has_labelled=lambda _label: False),
        kube=api.kube(),
        kubeconfig=tmp_path / "kubeconfig",
        context="kind-demo",
        platform="linux/amd64",
        registry_address="127.0.0.1:5000",
        identify=lambda: "uid",
        provider=SimpleNamespace(owns=True),
        provider_facts=lambda: {},
        route=OURS,
    )


def words(plan: Any) -> dict[str, str]:
    """Per component its steps and reasons, or why it is skipped."""
    return {
        name: f"{', '.join(part.steps)}: {'; '.join(map(str, part.reasons))}"
        if part.steps
        else part.skip
        for name, part in plan.components.items()
    }


def test_the_projects_releases_go_and_nothing_else(api: FakeApi, session: Any) -> None:
    api.put(record("web", "db"), release("one/web"), release("one/db", owner="another"))
    api.put(release("one/old", owner=""), release("two/renamed"), release("two/theirs", owner=""))
    plan = removal_plan(session, with_cluster=False)
    assert words(plan) == {
        "app": "kept",
        "new": "not_deployed",
        "tool": "kept",
        "web": "remove: down (release one/web, revision 3)",
        "db": "release_not_ours",
        "old": "release_not_ours",  # adopted by the first deploy, and there was none
        "two/renamed": "remove: down (release two/renamed, revision 3)",
    }
    assert plan.components["db"].warnings == (
        "one/db is left, it is project another's (if it may go: helm -n one uninstall db)",
    )
    assert plan.components["old"].warnings == ()
    assert plan.serial == 7


def test_an_adopted_release_goes(api: FakeApi, session: Any) -> None:
    api.put(record("old"), release("one/old", owner=""))
    assert removal_plan(session, with_cluster=False).components["old"].steps == ("remove",)


def test_with_the_cluster_everything_goes(api: FakeApi, session: Any) -> None:
    api.put(record("web"), release("one/web"))
    plan = removal_plan(session, with_cluster=True)
    assert words(plan) == {
        "app": "remove: down (with the cluster)",
        "new": "not_deployed",
        "tool": "remove: down (with the cluster)",
        "web": "remove: down (with the cluster)",
        "db": "not_deployed",
        "old": "not_deployed",
    }
    removes = {name: part.removes for name, part in plan.components.items() if part.removes}
    assert removes == {
        "app": (DIGEST,),
        "tool": (f"sha256:{SHA256}",),
        "web": ("release one/web, revision 3",),
    }
    events: list[Object] = []
    done = goes_with_cluster(session, plan, events.append)
    assert [part.name for part in done.components.values() if part.changed] == list(removes)
    assert [event["event"] for event in events] == ["plan", "removed"]
    assert api.methods("DELETE") == []


@pytest.mark.parametrize(
    ("other", "named"),
    [(release("x/y", owner=""), "release x/y"), (record(project="mine"), "project mine")],
)
def test_a_cluster_with_others_on_it_stays(
    api: FakeApi, session: Any, other: Object, named: str
) -> None:
    api.put(record(), other)
    with pytest.raises(UsageError, match=named) as caught:
        removal_plan(session, with_cluster=True)
    assert caught.value.reason == "cluster_shared"
    assert removal_plan(session, with_cluster=True, force=True).components["app"].steps
    assert removal_plan(session, with_cluster=False).cluster["verdict"] == "ok"


def test_a_damaged_record_goes_with_its_cluster_only(api: FakeApi, session: Any) -> None:
    api.put({**record("web"), "data": {"record": "!"}}, release("one/web"))
    with pytest.raises(UsageError) as caught:
        removal_plan(session, with_cluster=False)
    assert caught.value.reason == "record_unreadable"
    plan = removal_plan(session, with_cluster=True)
    assert [part.name for part in plan.with_step("remove")] == ["web"]


def test_a_cluster_that_runs_without_answering_can_be_removed_too(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> None:
        raise ApiUnreachable("apiserver_unreachable", "it does not answer")

    monkeypatch.setattr(session, "identify", silent)
    with pytest.raises(ApiUnreachable):
        removal_plan(session, with_cluster=False)
    with pytest.raises(UsageError, match=r"cluster_not_answering.*\n.*--force") as refused:
        removal_plan(session, with_cluster=True)
    assert refused.value.reason == "cluster_unseen"
    plan = removal_plan(session, with_cluster=True, force=True)
    assert set(words(plan).values()) == {"remove: down (with the cluster)"}


def test_a_cluster_that_does_not_run(session: Any) -> None:
    session.cluster = STOPPED
    with pytest.raises(LocalloopError, match="down --cluster") as caught:
        removal_plan(session, with_cluster=False)
    assert (caught.value.reason, caught.value.exit_code) == ("cluster_stopped", 1)
    with pytest.raises(UsageError) as refused:
        removal_plan(session, with_cluster=True)
    assert refused.value.reason == "cluster_unseen"
    plan = removal_plan(session, with_cluster=True, force=True)
    assert set(words(plan).values()) == {"remove: down (with the cluster)"}


@pytest.mark.parametrize("with_cluster", [False, True])
def test_no_cluster(session: Any, with_cluster: bool) -> None:
    session.cluster = ABSENT
    plan = removal_plan(session, with_cluster=with_cluster)
    assert set(words(plan).values()) == {"cluster_missing"}
    assert plan.cluster == {"verdict": "absent", "reason": "cluster_missing"}
    events: list[Object] = []
    assert goes_with_cluster(session, plan, events.append) == plan
    assert events == []
    session.docker.has_labelled = lambda label: label == "localloop.cluster=demo"
    goes_with_cluster(session, plan, events.append)
    assert [event["event"] for event in events] == ["plan", "removed"]


def removed(session: Any) -> tuple[Any, list[Object]]:
    events: list[Object] = []
    plan = removal_plan(cast("Session", session), with_cluster=False)
    return remove_project(session, plan, events.append), events


def test_removing(api: FakeApi, session: Any, helm: Helm) -> None:
    api.put(record("web", "db"), release("one/web"), release("two/renamed"))
    api.put(release("one/db", owner="another"))
    plan, events = removed(session)
    assert [call.split(" --")[0] for call in helm.calls] == ["uninstall"] * 2
    assert [call.split()[-1] for call in helm.calls] == ["web", "renamed"]
    assert ["--namespace one" in call for call in helm.calls] == [True, False]
    assert api.methods("DELETE") == ["DELETE /api/v1/namespaces/localloop/secrets/demo"]
    assert [part.name for part in plan.components.values() if part.changed] == [
        "web",
        "two/renamed",
    ]
    assert [event["text"] for event in events if event["event"] == "progress"] == [
        "one/db is left, it is project another's (if it may go: helm -n one uninstall db)",
        "helm uninstall one/web",
        "helm uninstall two/renamed",
    ]
    assert events[-1] == {"event": "removed"}


def test_a_release_that_contains_a_namespace_goes_last(
    api: FakeApi, session: Any, helm: Helm
) -> None:
    owner = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "one"}
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    metadata = {"name": "one", "labels": labels, "annotations": owner}
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    api.put(record("web", "db"), release("one/web"), release("one/db"), release("two/renamed"))
    removed(session)
    assert [call.split()[-1] for call in helm.calls] == ["db", "renamed", "web"]


def test_a_release_whose_secrets_go_with_its_namespace_is_removed(
    api: FakeApi, session: Any, helm: Helm
) -> None:
    said = "completed with 1 error(s): uninstall: Failed to purge the release: not found"
    api.put(record("web"), release("one/web"))
    metadata = {"name": "one", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    api.put({**namespace, "status": {"phase": "Terminating"}})
    helm.does(f"echo 'Error: uninstallation {said}' >&2; exit 1")

    def end() -> None:
        while not api.watching:
            time.sleep(0.01)
        api.remove(release("one/web"))
        api.remove(namespace)

    beside = threading.Thread(target=end)
    beside.start()
    plan, events = removed(session)
    beside.join()
    assert plan.components["web"].changed
    assert "waits: namespace one is being deleted" in [event.get("text") for event in events]


def test_a_second_time_there_is_nothing_to_do(api: FakeApi, session: Any, helm: Helm) -> None:
    helm.binary.unlink()  # and none is needed
    plan, events = removed(session)
    assert not plan.with_step("remove")
    assert events == []
    assert api.methods("DELETE") == []


def test_a_record_alone_goes_too(api: FakeApi, session: Any, helm: Helm) -> None:
    api.put(record())
    _, events = removed(session)
    assert helm.calls == []
    assert events == [{"event": "removed"}]
    assert api.methods("DELETE") == ["DELETE /api/v1/namespaces/localloop/secrets/demo"]


def test_what_helm_cannot_remove_leaves_the_record(api: FakeApi, session: Any, helm: Helm) -> None:
    helm.does("echo 'Error: hooks failed' >&2; exit 1")
    api.put(record("web"), release("one/web"), release("two/renamed"))
    with pytest.raises(ReleaseFailedError, match="hooks failed") as caught:
        removed(session)
    assert caught.value.reason == "uninstall_failed:web"
    assert len(helm.calls) == 1
    assert api.methods("DELETE") == []


class FakeDocker:
    """Docker with the registry beside a cluster that was found; what is removed is noted."""

    def __init__(self, *, ours: bool = True, nodes: Sequence[Object] = ()) -> None:
        self.engine = self
        self.gone: list[str] = []
        self.files: dict[tuple[str, str], bytes] = {}
        self._nodes = nodes
        binding = {"HostIp": "127.0.0.1", "HostPort": "5000"}
        self._registry = {
            "Id": "1",
            "State": {"Status": "exited", "Running": False},
            "Config": {"Labels": {"localloop.cluster": "demo"} if ours else {}},
            "HostConfig": {"PortBindings": {"5000/tcp": [binding]}},
            "NetworkSettings": {"Networks": {"bridge": {}}},
        }

    def inspect_container(self, _name: str) -> Any:
        return self._registry

    def containers(self, _filters: Any) -> Any:
        return self._nodes

    def read_folder(self, node: str, path: str) -> dict[str, bytes]:
        assert path == "/etc/containerd/certs.d"
        return {file: content for (at, file), content in self.files.items() if at == node}

    def execute(self, node: str, argv: list[str], **_: Any) -> tuple[int, str]:
        for path in argv[2:] if argv[0] == "rm" else ():
            self.files.pop((node, path), None)
        return 0, ""

    def remove_container(self, name: str) -> None:
        self.gone.append(f"container {name}")

    def remove_volume(self, name: str) -> None:
        self.gone.append(f"volume {name}")


def kind_node() -> Object:
    """A node as Docker lists it, of a cluster that localloop created."""
    return fake_cluster.node(6443)


ALL_GONE = ["container localloop-demo-registry", "volume localloop-demo-registry"]


@pytest.mark.parametrize(
    ("docker", "repositories", "gone"),
    [
        pytest.param(FakeDocker(), ["demo/web"], ALL_GONE, id="its own"),
        pytest.param(FakeDocker(), ["demo/web", "demo2/web"], [], id="another project's too"),
        pytest.param(FakeDocker(), ["demo/web", "empty/web"], ALL_GONE, id="only an empty name"),
        pytest.param(FakeDocker(ours=False), [], [], id="a stranger's container"),
        pytest.param(FakeDocker(nodes=[kind_node()]), [], [], id="of our own kind cluster as well"),
        pytest.param(
            FakeDocker(nodes=[{**kind_node(), "Mounts": []}]),
            ["demo/web"],
            ALL_GONE,
            id="beside another's kind cluster of that name",
        ),
    ],
)
@pytest.mark.usefixtures("helm")
def test_of_a_cluster_that_was_found_the_registry_goes_too(
    session: Any,
    monkeypatch: pytest.MonkeyPatch,
    docker: FakeDocker,
    repositories: list[str],
    gone: list[str],
) -> None:
    registry = SimpleNamespace(
        repositories=lambda: repositories,
        tags=lambda name: [] if name.startswith("empty/") else ["d-1"],
    )
    write_private(cluster_dir("demo") / "cluster.json", json.dumps({"owner": OWNER}).encode())
    session.cluster = SimpleNamespace(**{**vars(RUNS), "nodes": ()})
    docker._registry["State"] = {"Status": "running", "Running": True}
    monkeypatch.setattr("localloop.release.remove.Registry", lambda _address: registry)
    monkeypatch.setattr(
        "localloop.cluster.state.see_registry",
        lambda docker, _name: Seen(container=docker._registry),
    )
    session.docker = docker
    session.provider = SimpleNamespace(owns=False)
    session.registry_container_name = "localloop-demo-registry"
    session.repository_name = lambda name: f"demo/{name}"
    _, events = removed(session)
    assert docker.gone == gone
    assert ({"event": "removed"} in events) == bool(gone)


def found_node(name: str, state: str) -> NodeContainer:
    return NodeContainer(name=name, role="worker", state=state, container_id="1", image="i")


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.usefixtures("helm")
def test_nodes_and_cluster_forget_a_registry_that_goes(
    api: FakeApi, session: Any, monkeypatch: pytest.MonkeyPatch, others: bool
) -> None:
    """Its mirrors and its ConfigMap stay as long as another project's images are in it."""
    docker = FakeDocker()
    docker._registry["State"] = {"Status": "running", "Running": True}
    file = "/etc/containerd/certs.d/localhost:5000/hosts.toml"
    for node in ("one", "off"):
        docker.files[node, file] = hosts_toml("demo").encode()
    docker.files["one", "/etc/containerd/certs.d/docker.io/hosts.toml"] = b"mine"
    api.put(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
            "data": {"localRegistryHosting.v1": hosting("demo", 5000)},
        }
    )
    before = dict(docker.files)
    repositories = ["demo/web", *(["demo2/web"] if others else [])]
    registry = SimpleNamespace(repositories=lambda: repositories, tags=lambda _name: ["d-1"])
    monkeypatch.setattr("localloop.release.remove.Registry", lambda _address: registry)
    monkeypatch.setattr(
        "localloop.cluster.state.see_registry",
        lambda docker, _name: Seen(container=docker._registry),
    )
    nodes = (found_node("one", "running"), found_node("off", "exited"))
    session.cluster = SimpleNamespace(**{**vars(RUNS), "nodes": nodes})
    session.docker = docker
    session.provider = SimpleNamespace(owns=False)
    session.registry_container_name = "localloop-demo-registry"
    session.repository_name = lambda name: f"demo/{name}"
    _, events = removed(session)
    said = [event.get("text") for event in events]
    if others:
        assert (docker.files, docker.gone, api.methods("DELETE")) == (before, [], [])
        return
    assert before.keys() - docker.files.keys() == {("one", file)}
    assert docker.gone == ALL_GONE
    assert f"node off does not run, and keeps {file}" in said
    assert len(api.methods("DELETE")) == 1
    del docker.files["off", file]
    docker._registry = None
    assert removed(session)[1] == []
