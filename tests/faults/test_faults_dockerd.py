"""Docker dies during a build; Docker's other image store. On a private daemon.

The registry is the cluster's; nothing else of the machine's own Docker takes part.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.dockerd import PrivateDockerd
from harness.outside import MANIFEST, MANIFEST_V2, Cluster
from harness.remover import Remover
from harness.uploads import UploadWatch
from localloop.build import retry as baking
from localloop.build.bake import Target
from localloop.build.command import build
from localloop.build.retry import Pushed, bake
from localloop.cluster import daemon_store
from localloop.cluster.daemon_store import DaemonStore
from localloop.cluster.probe_image import REPOSITORY, push_probe, remove_probe
from localloop.errors import LocalloopError
from localloop.publish.check import broken_blobs
from localloop.publish.load import load_images
from localloop.registry.client import Registry
from localloop.registry.published import PublishedImage
from localloop.session import host_platform
from localloop.system.docker import Docker
from localloop.system.redact import Redactor

pytestmark = pytest.mark.cluster

BASE = "debian:bookworm-slim"
Built = tuple[Pushed, list[LocalloopError]]


@pytest.fixture(scope="module")
def dockerd() -> Iterator[PrivateDockerd]:
    with PrivateDockerd() as daemon:
        daemon.load(BASE)
        yield daemon


@pytest.fixture(scope="module")
def containerd_store() -> Iterator[PrivateDockerd]:
    with PrivateDockerd({"containerd-snapshotter": True}) as daemon:
        daemon.load(BASE)
        assert daemon.docker("info", "--format", "{{.Driver}}") == "overlayfs"
        yield daemon


class Builder:
    """Builds with localloop's bake on a private daemon; ``said`` has its progress lines."""

    def __init__(self, daemon: PrivateDockerd, root: Path, address: str) -> None:
        self.root = root
        self.said: list[str] = []
        self.daemon = daemon
        self.address = address
        project = SimpleNamespace(root=root, builder=None)
        self.session: Any = SimpleNamespace(
            project=project, docker=Docker(environ=daemon.environ), direct_hosts=()
        )

    def build(self, command: str, on_said: Callable[[str], None] = lambda _: None) -> Built:
        (self.root / "Dockerfile").write_text(
            f"FROM {BASE}\nRUN --network=none {command} # {self.root}\n"
        )

        def on_step(_: str, text: str) -> None:
            self.said.append(text)
            on_said(text)

        return bake(self.session, [self.target], on_step, Redactor())

    def run(self, script: str) -> Built:
        """Let a command build the image."""
        self.session.registry = Registry(self.address)
        self.session.repository_name = lambda _: self.repository
        target = replace(self.target, command=("sh", "-c", script))
        return build(self.session, [target], lambda _, text: self.said.append(text), Redactor())

    @property
    def target(self) -> Target:
        reference = f"{self.address}/{self.repository}:tx-1"
        return Target("web", self.root, self.root / "Dockerfile", reference, "linux/amd64")

    @property
    def repository(self) -> str:
        return f"{self.root.name.replace('_', '-')}/web"

    def tries(self) -> list[str]:
        return [text for text in self.said if ": try " in text]


MakeBuilder = Callable[[PrivateDockerd], Builder]


@pytest.fixture
def make_builder(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeBuilder]:
    made: list[Builder] = []
    address = cluster.registry_url().removeprefix("http://")  # the machine's own daemon knows it

    def make(daemon: PrivateDockerd) -> Builder:
        monkeypatch.setenv("DOCKER_HOST", daemon.host)
        made.append(Builder(daemon, tmp_path, address))
        return made[-1]

    yield make
    for builder in made:
        builder.session.docker.close()


def once(seen: str, act: Callable[[], None]) -> Callable[[str], None]:
    """Do something the first time that a step is reported."""
    done: list[str] = []

    def hear(text: str) -> None:
        if seen in text and not done:
            done.append(text)
            act()

    return hear


def test_docker_restarts_during_a_build(dockerd: PrivateDockerd, make_builder: MakeBuilder) -> None:
    builder = make_builder(dockerd)
    digests, failures = builder.build("sleep 3", once("sleep 3", lambda: dockerd.restart(down=1)))
    assert not failures
    assert builder.tries() == ["the connection was lost: try 2 of 3"]
    status, headers, _ = held(builder, "tx-1")
    assert (status, headers["docker-content-digest"]) == (200, digests["web"].digest)


def test_docker_restarts_during_a_push(dockerd: PrivateDockerd, make_builder: MakeBuilder) -> None:
    builder = make_builder(dockerd)
    with UploadWatch(builder.address, lambda: dockerd.restart(down=1)) as watch:
        builder.address = watch.address
        digests, failures = builder.build("head -c 20000000 /dev/urandom > /file")
        assert not failures
        assert builder.tries() == ["the connection was lost: try 2 of 3"]
        status, headers, _ = held(builder, "tx-1")
    assert (status, headers["docker-content-digest"]) == (200, digests["web"].digest)


def test_docker_restarts_while_it_pushes_the_image_of_a_command(
    dockerd: PrivateDockerd, make_builder: MakeBuilder
) -> None:
    builder = make_builder(dockerd)
    script = "head -c 20000000 /dev/urandom > file; tar -c file | docker import - $LOCALLOOP_IMAGE"
    with UploadWatch(builder.address, lambda: dockerd.restart(down=1)) as watch:
        builder.address = watch.address
        digests, failures = builder.run(script)
        assert not failures
        assert builder.tries() == ["the connection was lost: try 2 of 3"]
        status, headers, _ = held(builder, "tx-1")
    assert (status, headers["docker-content-digest"]) == (200, digests["web"].digest)


def test_only_what_the_registry_lacks_is_pushed(
    dockerd: PrivateDockerd, make_builder: MakeBuilder
) -> None:
    builder = make_builder(dockerd)
    with UploadWatch(builder.address) as watch:
        builder.address = watch.address
        assert not builder.build("echo one > /file")[1]
        first = watch.uploads
        assert not builder.build("echo one > /file")[1]
        assert watch.uploads == first == 3  # the base's layer, ours, the configuration
        assert not builder.build("echo two > /file")[1]
        assert watch.uploads == first + 2


def held(builder: Builder, tag: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """What the registry itself returns for a tag."""
    request = urllib.request.Request(
        f"http://{builder.address}/v2/{builder.repository}/manifests/{tag}",
        headers={"Accept": f"{MANIFEST}, {MANIFEST_V2}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        headers = {key.lower(): value for key, value in answer.headers.items()}
        return answer.status, headers, json.loads(answer.read())


def test_docker_dies_in_every_try(dockerd: PrivateDockerd, make_builder: MakeBuilder) -> None:
    builder = make_builder(dockerd)
    with pytest.raises(LocalloopError) as caught:
        builder.build("sleep 4", lambda text: dockerd.restart() if "sleep 4" in text else None)
    assert caught.value.reason == "builder_lost"
    assert builder.tries() == [f"the connection was lost: try {number} of 3" for number in (2, 3)]


SOMEBODY = "the image was removed: try {} of 3"


def test_image_that_is_removed_before_its_push(
    dockerd: PrivateDockerd, make_builder: MakeBuilder
) -> None:
    builder = make_builder(dockerd)
    for _ in range(50):  # a push that has begun is safe, and it begins within milliseconds
        with Remover(dockerd.host, times=1):
            digests, failures = builder.build("echo taken > /file")
        assert not failures
        status, headers, _ = held(builder, "tx-1")
        assert (status, headers["docker-content-digest"]) == (200, digests["web"].digest)
        if builder.tries():
            break
    assert builder.tries() == [SOMEBODY.format(2)]


@pytest.mark.parametrize("times", [1, 9])
def test_image_of_a_command_that_is_removed(
    times: int, dockerd: PrivateDockerd, make_builder: MakeBuilder
) -> None:
    builder = make_builder(dockerd)
    script = "tar -c -T /dev/null | docker import - $LOCALLOOP_IMAGE; sleep 1"
    with Remover(dockerd.host, times=times):
        digests, failures = builder.run(script)
    if times == 1:
        assert not failures
        assert builder.tries() == [SOMEBODY.format(2)]
        status, headers, _ = held(builder, "tx-1")
        assert (status, headers["docker-content-digest"]) == (200, digests["web"].digest)
    else:
        assert [failure.reason for failure in failures] == ["image_taken"]
        assert builder.tries() == [SOMEBODY.format(number) for number in (2, 3)]


def test_docker_stays_away(
    dockerd: PrivateDockerd, make_builder: MakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baking, "DOCKER_BACK_SECONDS", 2.0)
    builder = make_builder(dockerd)
    started = time.monotonic()
    try:
        with pytest.raises(LocalloopError) as caught:
            builder.build("sleep 5", once("sleep 5", dockerd.kill))
        assert caught.value.reason == "docker_unreachable"
        assert time.monotonic() - started < 15
    finally:
        dockerd.restart()


def test_registry_refuses_the_connection(
    dockerd: PrivateDockerd, make_builder: MakeBuilder
) -> None:
    builder = make_builder(dockerd)
    builder.address = "127.0.0.1:9"
    with pytest.raises(LocalloopError) as caught:
        builder.build("true")
    assert caught.value.reason == "builder_lost"
    assert "127.0.0.1:9" in caught.value.message
    assert len(builder.tries()) == 2


@pytest.mark.parametrize("store", ["dockerd", "containerd_store"])
def test_digest_is_that_of_the_manifest_in_both_stores(
    store: str, make_builder: MakeBuilder, request: pytest.FixtureRequest
) -> None:
    """Never an index's; the same in the registry, in the metadata and after a cached rebuild."""
    builder = make_builder(request.getfixturevalue(store))
    digests, failures = builder.build("echo content > /file")
    assert not failures
    found = digests["web"]
    _, headers, manifest = held(builder, "tx-1")
    assert headers["docker-content-digest"] == found.digest
    assert "manifests" not in manifest
    assert manifest["config"]["digest"] in found.configs.values()
    registry = Registry(builder.address)
    assert broken_blobs(registry, builder.repository, found.digest) == []
    assert builder.build("echo content > /file") == (digests, [])


def taken(builder: Builder, image: PublishedImage) -> list[str]:
    session: Any = SimpleNamespace(stores=DaemonStore(builder.session.docker))
    return load_images(session, {"web": image}, lambda _event: None)


@pytest.mark.parametrize("store", ["dockerd", "containerd_store"])
def test_docker_takes_an_image_into_its_own_store(
    store: str, make_builder: MakeBuilder, request: pytest.FixtureRequest
) -> None:
    """Nodes whose containers it runs find it there by its digest and by each of its tags."""
    builder = make_builder(request.getfixturevalue(store))
    pushed = builder.build("echo shared > /file")[0]["web"]
    repository, daemon = f"{builder.address}/{builder.repository}", builder.daemon
    image = PublishedImage(repository, pushed.digest, pushed.configs)
    stores = DaemonStore(builder.session.docker)
    assert not stores.holds("this Docker", image)
    assert taken(builder, image) == ["this Docker"]
    for name in (image.ref, *(f"{repository}:{tag}" for tag in image.tags)):
        shown = daemon.docker("run", "--rm", "--network=none", "--pull=never", name, "cat", "/file")
        assert shown == "shared"
    assert stores.holds("this Docker", image)
    assert taken(builder, image) == []
    daemon.docker("rmi", f"{repository}:{image.tag}")
    assert not stores.holds("this Docker", image)
    assert taken(builder, image) == ["this Docker"]
    assert stores.holds("this Docker", image)
    unknown = PublishedImage(repository, "sha256:" + "0" * 64, pushed.configs)
    with pytest.raises(LocalloopError) as caught:
        taken(builder, unknown)
    assert caught.value.reason == "image_not_loaded:web"
    assert "not found" in caught.value.message or "manifest unknown" in caught.value.message


def test_docker_does_not_wait_for_ever_for_an_image(
    dockerd: PrivateDockerd, make_builder: MakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_store, "PULL_SECONDS", 2.0)
    builder = make_builder(dockerd)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        image = PublishedImage(f"{address}/demo/web", "sha256:" + "0" * 64, {})
        started = time.monotonic()
        with pytest.raises(LocalloopError) as caught:
            taken(builder, image)
    assert caught.value.reason == "image_not_loaded:web"
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("store", ["dockerd", "containerd_store"])
def test_docker_pulls_a_probe(
    store: str, make_builder: MakeBuilder, request: pytest.FixtureRequest
) -> None:
    """An image without content, which tells whose store a node uses, is pulled and removed."""
    builder = make_builder(request.getfixturevalue(store))
    registry, engine = Registry(builder.address), builder.session.docker.engine
    probe = push_probe(registry, host_platform())
    reference = f"{builder.address}/{REPOSITORY}:{probe.tag}"
    engine.pull(reference, timeout=30.0, anonymous=True)
    assert reference in builder.session.docker.image_names()
    engine.remove_image(reference)
    assert reference not in builder.session.docker.image_names()
    remove_probe(registry, probe)


def test_disk_of_docker_is_full(make_builder: MakeBuilder) -> None:
    with PrivateDockerd(data_megabytes=420) as daemon:
        daemon.load(BASE)
        builder = make_builder(daemon)
        with pytest.raises(LocalloopError) as caught:
            builder.build("dd if=/dev/zero of=/large bs=1M count=600")
    assert caught.value.reason == "disk_full"
    assert f"of 420 MiB are free in {daemon.root}/data" in caught.value.message
    assert not builder.tries()
