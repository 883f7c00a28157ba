"""Which cluster this is: the pin on this machine, and servers that are refused."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from fake_store import FakeStore

from localloop.cluster.identity import (
    cluster_uid,
    pin,
    pin_first,
    pin_path,
    pinned_uid,
    require_allowed,
    require_pinned,
)
from localloop.config.model import ClusterConfig
from localloop.config.project import load_project
from localloop.errors import LocalloopError, UsageError
from localloop.kube.client import ApiUnreachable
from localloop.kube.kubeconfig import ExecPlugin, KubeConfig
from localloop.plan.preflight import remember_first_use
from localloop.session import Session


def test_pin_is_kept_per_provider_cluster_and_project(own_state_home: Path) -> None:
    path = pin_path("kind", "hello", "web")
    assert path == own_state_home / "localloop" / "pins" / "kind" / "hello" / "web"
    assert pinned_uid(path) == ""
    pin(path, "uid-1")
    assert pinned_uid(path) == "uid-1"
    assert pinned_uid(pin_path("existing", "hello", "web")) == ""
    assert pinned_uid(pin_path("kind", "hello", "api")) == ""


def test_pin_is_replaced_atomically_and_only_if_it_changed() -> None:
    path = pin_path("kind", "hello", "web")
    pin(path, "uid-1")
    before = path.stat()
    pin(path, "uid-1")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    pin(path, "uid-2")
    assert pinned_uid(path) == "uid-2"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\x00", b"uid-1"])
def test_damaged_pin_is_replaced(content: bytes) -> None:
    path = pin_path("kind", "hello", "web")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    pinned_uid(path)
    pin(path, "uid-2")
    assert pinned_uid(path) == "uid-2"


def test_a_pin_that_cannot_be_written_is_told() -> None:
    path = pin_path("kind", "hello", "web")
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("a file")
    for use in (lambda: pin(path, "uid-1"), lambda: pinned_uid(path)):
        with pytest.raises(LocalloopError) as caught:
            use()
        assert caught.value.reason == "state_unwritable"


def test_the_first_use_pins_and_no_later_one() -> None:
    path = pin_path("existing", "hello", "web")
    pin_first(path, "")
    assert not path.exists()
    pin_first(path, "uid-1")
    pin_first(path, "uid-2")
    assert pinned_uid(path) == "uid-1"


def test_another_cluster_is_refused_until_the_line_in_the_message_is_run() -> None:
    path = pin_path("existing", "a b", "web")
    config = KubeConfig("dev", "https://127.0.0.1:6443")
    require_pinned(path, "uid-1", config)
    pin(path, "uid-1")
    require_pinned(path, "uid-1", config)
    for other in ("uid-2", ""):
        with pytest.raises(UsageError) as caught:
            require_pinned(path, other, config)
        assert caught.value.reason == "cluster_replaced"
        for text in ("context dev", config.server, "uid-1", other):
            assert text in caught.value.message
    subprocess.run((caught.value.hint or "").split("`")[1], shell=True, check=True)
    require_pinned(path, "uid-2", config)


@pytest.fixture
def existing(root: Path) -> Iterator[tuple[FakeStore, Callable[[], Session]]]:
    """A cluster that is not ours, and a function that opens a session as each step does."""
    with FakeStore() as api:
        api.namespace("kube-system")

        server = f"http://127.0.0.1:{api.server.server_address[1]}"
        document = {
            "contexts": [{"name": "dev", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
        }
        (root / "kubeconfig").write_text(yaml.safe_dump(document))
        config = yaml.safe_load((root / "localloop.yml").read_text())
        config["cluster"] = {"context": "dev", "kubeconfig": "./kubeconfig"}
        (root / "localloop.yml").write_text(yaml.safe_dump(config))

        def opened() -> Session:
            return Session(load_project(root, environ={}), {}, blind=True)

        yield api, opened


def test_each_step_sees_that_the_cluster_was_swapped(
    existing: tuple[FakeStore, Callable[[], Session]],
) -> None:
    api, opened = existing
    planned = opened()
    remember_first_use(planned, SimpleNamespace(cluster={"verdict": "ok"}))  # type: ignore[arg-type]
    assert pinned_uid(planned.pin) == planned.identify() != ""
    assert opened().identify() == pinned_uid(planned.pin)
    api.put("/api/v1/namespaces/kube-system", {"metadata": {"uid": "another"}})
    api.requests.clear()
    with pytest.raises(UsageError) as caught:
        opened().kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})
    assert caught.value.reason == "cluster_replaced"
    assert api.requests == [("GET", "/api/v1/namespaces/kube-system")]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("apiserver_untrusted", "apiserver_untrusted"),
        ("apiserver_unreachable", "cluster_unreachable"),
    ],
)
def test_one_that_is_gone_or_has_another_certificate_in_mid_run_is_a_refusal(
    existing: tuple[FakeStore, Callable[[], Session]],
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    said: str,
) -> None:
    _, opened = existing

    def lost(_kube: object) -> str:
        raise ApiUnreachable(reason, "it has another certificate")

    monkeypatch.setattr("localloop.session.cluster_uid", lost)
    with pytest.raises(UsageError) as caught:
        opened().kube  # noqa: B018
    assert caught.value.reason == said
    assert "another certificate" in caught.value.message


def test_a_token_file_that_goes_in_mid_run_is_a_refusal(
    existing: tuple[FakeStore, Callable[[], Session]], root: Path
) -> None:
    _, opened = existing
    path, token = root / "kubeconfig", root / "token"
    document = yaml.safe_load(path.read_text())
    document["users"] = [{"name": "u", "user": {"tokenFile": str(token)}}]
    document["contexts"][0]["context"]["user"] = "u"
    path.write_text(yaml.safe_dump(document))
    token.write_text("t\n")
    assert opened().identify()
    token.unlink()
    with pytest.raises(UsageError) as caught:
        opened().kube  # noqa: B018
    assert str(token) in str(caught.value)


def test_a_server_elsewhere_gets_no_request(
    existing: tuple[FakeStore, Callable[[], Session]], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, opened = existing
    session = opened()
    path = root / "kubeconfig"
    path.write_text(path.read_text().replace("127.0.0.1", "203.0.113.7"))
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("dialled"))
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            session.identify()
        assert caught.value.reason == "cluster_not_local"


def test_cluster_uid() -> None:
    with FakeStore() as api:
        assert cluster_uid(api.kube()) == ""
        api.namespace("kube-system")
        wanted = api.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"]
        assert cluster_uid(api.kube()) == wanted


HERE = ["https://127.0.0.1:6443", "https://[::1]:6443", "https://0.0.0.0:6443"]
ELSEWHERE = [
    "https://8.8.8.8:6443",
    "https://10.0.0.2:6443",
    "https://192.168.1.2:6443",
    "https://[fd00:77::1]:6443",
    "https://prod.example.com",
    "https://127.0.0.1.example.com",
    "https://localhost.example.com",
    "https://[2001:db8::1]:6443",
]


def allowed(**keys: tuple[str, ...]) -> ClusterConfig:
    return ClusterConfig(name="demo", **keys)  # type: ignore[arg-type]


def refusal(config: KubeConfig, wanted: ClusterConfig) -> UsageError:
    with pytest.raises(UsageError) as caught:
        require_allowed(config, wanted)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("server", HERE)
def test_a_server_here_needs_no_line(server: str) -> None:
    require_allowed(KubeConfig("prod", server), allowed())


@pytest.mark.parametrize("server", ELSEWHERE)
def test_any_other_needs_its_line_whatever_the_context_is_called(server: str) -> None:
    config = KubeConfig("kind-local", server)
    found = refusal(config, allowed(allow_server=("https://10.0.0.3:6443",)))
    assert found.reason == "cluster_not_local"
    assert f"context kind-local is at {server}" in found.message
    line = yaml.safe_load((found.hint or "").split("`")[1])
    assert line == {"cluster": {"allow_server": [server]}}
    require_allowed(config, allowed(allow_server=tuple(line["cluster"]["allow_server"])))


@pytest.mark.parametrize("server", [*HERE, *ELSEWHERE])
def test_behind_a_proxy_no_server_is_here(server: str) -> None:
    config = KubeConfig("kind-local", server, proxy_url="socks5://127.0.0.1:1080")
    assert "through a proxy" in refusal(config, allowed()).message
    require_allowed(config, allowed(allow_server=(server,)))


def test_an_exec_plugin_needs_its_line_also_here() -> None:
    plugin = ExecPlugin("./get token", ("/home/u/.kube/get token",), {}, "v1")
    config = KubeConfig("kind-local", HERE[0], plugin=plugin)
    found = refusal(config, allowed(allow_exec=("get", "/home/u/.kube/get token")))
    assert found.reason == "exec_not_allowed"
    assert "context kind-local" in found.message
    line = yaml.safe_load((found.hint or "").split("`")[1])
    assert line == {"cluster": {"allow_exec": ["./get token"]}}
    require_allowed(config, allowed(allow_exec=("./get token",)))


def test_the_address_is_judged_before_the_plugin() -> None:
    config = KubeConfig("x", ELSEWHERE[0], plugin=ExecPlugin("get", ("get",), {}, "v1"))
    assert refusal(config, allowed(allow_exec=("get",))).reason == "cluster_not_local"
