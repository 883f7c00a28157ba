"""A cluster that localloop did not create: found by its API and its containers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import FakeApi

from localloop.cluster.daemon_store import DaemonStore
from localloop.cluster.existing import ExistingProvider, frozen_path
from localloop.cluster.node_stores import NodeStores
from localloop.cluster.provider import provider_of
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.kube.kubeconfig import load_kubeconfig
from localloop.observe.facts import Request
from localloop.plan.cluster_verdict import BootstrapChoice, require_answer, require_own
from localloop.plan.found_cluster import require_usable
from localloop.plan.make import make_plan
from localloop.plan.preflight import require_route
from localloop.session import Session
from localloop.steps import registry_inspect
from localloop.steps.context import Context
from localloop.system.docker import Docker
from localloop.system.paths import cluster_dir

NODE = "box-control-plane"
CONTEXT = "my cluster/one"


class FakeDocker:
    """Containers and the files in them; what is asked of it is noted."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []
        self.inspected: dict[str, dict[str, Any]] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.read: list[str] = []
        self.containerd = ""
        self.asked_info = 0
        self.engine = self

    def info(self) -> dict[str, Any]:
        self.asked_info += 1
        return {
            "Name": "Box", "ServerVersion": "28.1.0", "KernelVersion": "6.1.0", "ID": "a daemon",
        }  # fmt: skip

    def containers(self, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        states = filters.get("status")
        return [each for each in self.listed if not states or each["State"] in states]

    def inspect_container(self, name: str) -> dict[str, Any] | None:
        return self.inspected.get(name)

    def read_path(self, container: str, path: str) -> bytes | None:
        return self.files.get((container, path))

    def execute(self, _node: str, argv: list[str], **_: Any) -> tuple[int, str]:
        assert argv == ["sh", "-c", "containerd config dump 2>/dev/null"]
        return 0, self.containerd

    def read_file(self, container: str, path: str) -> bytes | None:
        self.read.append(f"{container} {path}")
        return self.files.get((container, path))


class World:
    """A project whose context is a fake API server."""

    def __init__(self, root: Path, api: FakeApi) -> None:
        self.root, self.api, self.docker = root, api, FakeDocker()
        self.kubeconfig = root / "kubeconfig"
        self.server = f"http://127.0.0.1:{api.server.server_address[1]}"
        self.write_kubeconfig()
        self.docker.listed = [container()]
        self.docker.files["1", "/etc/machine-id"] = b"m\n"
        api.put(node())

    def write_kubeconfig(self, server: str = "") -> None:
        document = {
            "current-context": "another",
            "clusters": [
                {"name": "c", "cluster": {"server": server or self.server}},
                {"name": "o", "cluster": {"server": "https://10.0.0.1"}},
            ],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [
                {"name": CONTEXT, "context": {"cluster": "c", "user": "u"}},
                {"name": "another", "context": {"cluster": "o", "user": "u"}},
            ],
        }
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def session(self, environ: dict[str, str] | None = None, **sections: Any) -> Session:
        cluster = {"context": CONTEXT, "kubeconfig": str(self.kubeconfig)}
        config = {"version": 1, "project": "demo", "cluster": cluster, **sections}
        (self.root / "localloop.yml").write_text(yaml.safe_dump(config))
        (self.root / "Dockerfile").write_text("FROM scratch\n")
        session = Session(load_project(self.root, environ={}), environ or {})
        session.docker = self.docker  # type: ignore[assignment]
        session.provider = provider_of(session.project, self.docker, environ or {})  # type: ignore[arg-type]
        return session


def container(name: str = NODE, state: str = "running", **more: Any) -> dict[str, Any]:
    return {"Id": "1", "Names": [f"/{name}"], "State": state, "Image": "node:1", **more}


def node(
    name: str = NODE, architecture: str = "amd64", machine: str = "m", **more: str
) -> dict[str, Any]:
    info = {
        "machineID": machine, "operatingSystem": "linux", "architecture": architecture,
        "kubeletVersion": "v1.37.2", **more,
    }  # fmt: skip
    labels = {"node-role.kubernetes.io/control-plane": ""}
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "status": {"nodeInfo": info},
    }  # fmt: skip


def advertising(text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
        "data": {"localRegistryHosting.v1": text},
    }  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    root = tmp_path / "project"
    root.mkdir()
    with FakeApi() as api:
        yield World(root, api)


def refused(session: Session) -> UsageError:
    with pytest.raises(UsageError) as caught:
        session.cluster  # noqa: B018
    return caught.value


def test_it_is_found_whatever_its_context_is_called(world: World) -> None:
    session = world.session()
    found = session.cluster
    assert (found.adopted, found.ours, found.verdict, found.name) == (True, False, "ok", CONTEXT)
    assert [each.name for each in found.nodes] == [NODE] == list(session.nodes)
    assert (found.kubernetes, found.image, found.remote) == ("1.37.2", "node:1", ())
    assert (session.platform, session.container_name) == ("linux/amd64", NODE)
    assert (session.route.name, found.registry_verdict) == ("load", "create")
    assert session.provider_facts() == {
        "name": "existing",
        "context": CONTEXT,
        "why": f"cluster.context is {CONTEXT}",
    }


def test_a_second_look_opens_no_container(world: World) -> None:
    assert world.session().cluster.nodes
    assert world.docker.read == ["1 /etc/machine-id"]
    world.api.requests.clear()
    assert world.session().cluster.nodes
    assert world.docker.read == ["1 /etc/machine-id"]
    assert [path for _, path, *_ in world.api.requests] == [
        "/api/v1/nodes",
        "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting",
    ]


def test_a_container_that_was_restarted_is_known_by_its_new_machine_id(world: World) -> None:
    assert world.session().cluster.nodes
    world.docker.files["1", "/etc/machine-id"] = b"n\n"
    world.api.put(node(machine="n"))
    assert world.session().cluster.nodes
    world.api.put(node(machine="of another machine"))
    assert refused(world.session()).reason == "no_image_route"


def test_nodes_that_are_no_containers_need_a_registry(world: World) -> None:
    world.docker.listed = []
    error = refused(world.session())
    assert error.reason == "no_image_route"
    assert NODE in error.message
    session = world.session(registry={"host": "localhost:5001"})
    assert (session.cluster.remote, session.nodes) == ((NODE,), ())
    assert (session.route.name, session.registry_address) == ("registry", "localhost:5001")
    assert session.repository("web") == "localhost:5001/demo/web"


def test_node_files_on_nodes_that_are_not_here_are_refused_by_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localloop.cluster.registry_probe.require_registry", lambda _route: None)
    world.docker.listed = []
    files = {"tool": {"dockerfile": "Dockerfile", "file": "tool", "dest": "/opt/tool"}}
    session = world.session(registry={"host": "localhost:5001"}, node_files=files)
    with pytest.raises(UsageError) as caught:
        require_usable(session)
    assert caught.value.reason == "node_files_unreachable"
    assert "tool" in caught.value.message and NODE in caught.value.message
    world.docker.listed = [container()]
    require_usable(world.session(registry={"host": "localhost:5001"}, node_files=files))


def test_one_made_anew_under_the_same_context_is_refused_before_its_registry_is_started(
    world: World,
) -> None:
    session = world.session()
    session.pin.parent.mkdir(parents=True)
    session.pin.write_text("the uid of the one before\n")
    assert session.cluster.registry_verdict == "create"
    with pytest.raises(UsageError) as caught:
        make_plan(session, Request(), emit=lambda _event: None)
    assert caught.value.reason == "cluster_replaced"
    assert f"rm {session.pin}" in caught.value.hint
    session.pin.unlink()
    plan, _ = make_plan(world.session(), Request(), emit=lambda _event: None)
    assert plan.cluster["verdict"] == "registry"


def test_an_advertised_registry_has_different_names_here_and_on_the_nodes(world: World) -> None:
    text = "host: localhost:5001\nhostFromContainerRuntime: registry:5000\n"
    world.api.put(advertising(text))
    session = world.session()
    assert session.route.name == "advertised"
    assert session.push_repository("web") == "localhost:5001/demo/web"
    assert session.repository("web") == "registry:5000/demo/web"
    assert world.session(registry={"route": "load"}).route.name == "load"


def in_network(*networks: str, **more: Any) -> dict[str, Any]:
    return container(**more, NetworkSettings={"Networks": {name: {} for name in networks}})


OURS = {"route": "ours"}
READS_CERTS = (
    '[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "/etc/containerd/certs.d"\n'
)


def test_nodes_pull_from_ours_where_that_is_asked_for(world: World) -> None:
    world.docker.listed = [in_network("bridge", "mine")]
    session = world.session(registry=OURS)
    assert (session.route.name, session.route.network) == ("ours", "mine")
    assert [each.name for each in session.cluster.pulling] == [NODE]
    assert session.cluster.registry_verdict == "create"
    assert world.session(registry={"route": "load"}).cluster.pulling == ()
    world.docker.listed = [in_network("bridge")]
    assert refused(world.session(registry=OURS)).reason == "no_image_route"


def test_a_registry_in_another_network_than_the_nodes_is_made_anew(world: World) -> None:
    world.docker.listed = [in_network("mine")]
    binding = {"HostIp": "127.0.0.1", "HostPort": "25001"}
    world.docker.inspected["localloop-demo-registry"] = {
        "Id": "2",
        "State": {"Status": "exited", "Running": False},
        "Config": {"Labels": {"localloop.cluster": "demo"}},
        "HostConfig": {"PortBindings": {"5000/tcp": [binding]}},
        "NetworkSettings": {"Networks": {"bridge": {}}},
    }
    found = world.session(registry=OURS).cluster
    assert (found.registry_verdict, found.registry_reason) == ("recreate", "registry_wrong_network")
    assert world.session(registry={"route": "load"}).cluster.registry_verdict == "start"


def inspect(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("localloop.session.Docker", lambda: world.docker)
    monkeypatch.setattr(registry_inspect, "Docker", lambda: world.docker)
    params = {"name": "demo", "port": 0, "project": str(world.root), "tried": "", "wait": 0}
    return registry_inspect.run(params, Context(lambda _event: None))


def test_the_registry_role_is_told_what_a_found_cluster_needs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = container("box-worker", "exited", Id="3")
    world.docker.listed = [in_network("kind"), {**stopped, **in_network("kind", name="box-worker")}]
    world.docker.containerd = READS_CERTS
    world.session(registry=OURS)
    found = inspect(world, monkeypatch)
    assert (found["network"], found["nodes"], found["wired"]) == ("kind", [NODE], False)
    assert (found["unwired"], found["registry"]["verdict"]) == ([NODE], "create")
    assert found["address"] in found["hosting"]
    world.api.put(advertising("host: localhost:5001\n"))
    assert inspect(world, monkeypatch)["hosting"] == ""
    world.session(registry={"route": "load"})
    found = inspect(world, monkeypatch)
    assert [found[key] for key in ("network", "nodes", "wired", "hosting")] == ["", [], True, ""]


def test_a_node_that_cannot_be_wired_is_refused_before_anything_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.docker.listed = [in_network("kind")]
    session = world.session(registry=OURS)
    for look in (lambda: inspect(world, monkeypatch), lambda: require_route(session)):
        with pytest.raises(UsageError) as caught:
            look()
        assert caught.value.reason == "node_not_wireable"
    world.docker.containerd = READS_CERTS
    require_route(session)


def test_a_node_that_uses_this_dockers_own_store(world: World) -> None:
    """The node's status is a fake of what a kubelet with cri-dockerd reports."""
    world.api.objects.clear()
    world.api.put(node("box", containerRuntimeVersion="docker://28.1.0", kernelVersion="6.1.0"))
    session = world.session(registry={"port": 5000})
    assert (session.route.name, session.cluster.remote, session.nodes) == ("shared", ("box",), ())
    assert session.cluster.registry_verdict == "create"
    assert isinstance(session.stores, DaemonStore)
    assert world.session(registry={"route": "shared"}).route.name == "shared"
    assert refused(world.session(registry={"route": "load"})).reason == "no_image_route"
    world.api.put(node("box", containerRuntimeVersion="docker://28.1.0", kernelVersion="6.2.0"))
    error = refused(world.session(registry={"route": "shared"}))
    assert error.reason == "no_image_route"
    assert "its kernel is 6.2.0" in error.message


def test_it_has_to_be_seen_to_use_it_before_anything_is_built(world: World) -> None:
    world.api.objects.clear()
    made = node("box", containerRuntimeVersion="docker://28.1.0", kernelVersion="6.1.0")
    made["metadata"]["uid"] = "node-1"
    pod = {"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": "dns", "namespace": "kube-system", "uid": "pod-1"}}  # fmt: skip
    world.api.put(made, pod)
    world.docker.listed = [container("k8s_dns", Labels={"io.kubernetes.pod.uid": "pod-1"})]
    session = world.session()
    require_route(session)
    remembered = cluster_dir("demo") / "shared.json"
    assert json.loads(remembered.read_bytes()) == {"node-1": "a daemon"}


def test_nodes_with_containerd_cost_no_look_at_docker_itself(world: World) -> None:
    world.api.put(node(containerRuntimeVersion="containerd://2.1.3"))
    session = world.session()
    assert isinstance(session.stores, NodeStores)
    assert world.docker.asked_info == 0
    error = refused(world.session(registry={"route": "shared"}))
    assert (error.reason, "it is a container here" in error.message) == ("no_image_route", True)


def test_a_node_that_is_a_container_with_a_docker_of_its_own(world: World) -> None:
    world.api.put(node(containerRuntimeVersion="docker://28.1.0", kernelVersion="6.1.0"))
    error = refused(world.session())
    assert error.reason == "no_image_route"
    assert f"{NODE} runs docker://28.1.0" in error.message


def test_nodes_that_pull_have_no_stores_to_fill(world: World) -> None:
    assert world.session(registry={"host": "localhost:5001"}).stores is None


def test_nodes_of_two_platforms_are_refused(world: World) -> None:
    world.api.put(node("other", architecture="arm64"))
    error = refused(world.session())
    assert (error.reason, "linux/amd64, linux/arm64" in error.message) == (
        "cluster_platforms",
        True,
    )


def test_nodes_that_may_not_be_listed(world: World) -> None:
    status = {"kind": "Status", "reason": "Forbidden", "message": "nodes is forbidden"}
    world.api.answers["GET", "/api/v1/nodes"] = [(403, {}, status)]
    error = refused(world.session())
    assert (error.reason, "nodes is forbidden" in error.message) == (
        "cluster_nodes_unreadable",
        True,
    )


@pytest.mark.parametrize(("state", "verb"), [("exited", "start"), ("paused", "unpause")])
def test_a_cluster_that_does_not_answer(world: World, state: str, verb: str) -> None:
    world.write_kubeconfig("http://127.0.0.1:9")
    world.docker.listed = [container(state=state)]
    world.docker.inspected["1"] = {
        "HostConfig": {"PortBindings": {"6443/tcp": [{"HostPort": "9"}]}}
    }
    error = refused(world.session())
    assert error.reason == "cluster_unreachable"
    assert f"{NODE} is {state}" in error.message
    assert error.hint and f"docker {verb} {NODE}" in error.hint
    world.docker.inspected.clear()
    assert NODE not in str(refused(world.session()))


def test_a_server_elsewhere_gets_no_request(world: World) -> None:
    world.write_kubeconfig("https://203.0.113.1")
    assert refused(world.session()).reason == "cluster_not_local"


def test_the_current_context_is_never_used(world: World) -> None:
    session = world.session()
    assert session.kube.config.server == world.server
    assert session.provider.address == world.server


def test_a_run_keeps_the_kubeconfig_that_it_began_with(world: World, tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "project.lock"
    session = world.session()
    path = session.provider.freeze(lock)
    assert path == session.kubeconfig == frozen_path(lock)
    assert path.stat().st_mode & 0o777 == 0o600
    world.kubeconfig.unlink()
    child = world.session({"LOCALLOOP_LOCK": str(lock)})
    assert child.kubeconfig == path
    assert child.kube.config == session.kube.config == load_kubeconfig(path, CONTEXT)
    path.unlink()
    with pytest.raises(UsageError):
        world.session({"LOCALLOOP_LOCK": str(lock)}).kube  # noqa: B018


def test_what_is_done_to_clusters_of_localloop_only_is_refused(world: World) -> None:
    session = world.session()
    with pytest.raises(UsageError) as caught:
        require_own(session, "stopped")
    assert caught.value.reason == "cluster_not_ours"
    assert CONTEXT in caught.value.message
    for choice, reason in (
        (BootstrapChoice("recreate", force=True), "cluster_not_ours"),
        (BootstrapChoice(), "cluster_exists"),
    ):
        with pytest.raises(UsageError) as caught:
            require_answer(session, choice)
        assert caught.value.reason == reason
    require_answer(session, BootstrapChoice("reuse"))


@pytest.mark.parametrize(
    ("cluster", "name"),
    [
        ({}, "kind"),
        ({"provider": "kind"}, "kind"),
        ({"context": "x"}, "existing"),
        ({"provider": "existing", "context": "kind-demo"}, "existing"),
    ],
)
def test_the_provider_follows_from_the_configuration(
    tmp_path: Path, cluster: dict[str, str], name: str
) -> None:
    config = {"version": 1, "project": "demo", "cluster": cluster}
    (tmp_path / "localloop.yml").write_text(yaml.safe_dump(config))
    project = load_project(tmp_path, environ={})
    found = provider_of(project, Docker(), os.environ)
    assert (found.name, found.owns) == (name, name == "kind")
    assert isinstance(found, ExistingProvider) == (name == "existing")
