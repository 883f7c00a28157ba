"""The registry: a plain deploy repairs localloop's own; others are left alone.

Each of its states is in test_faults_registry_states.py.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.claims import unchanged
from harness.outside import NETWORK, Cluster, docker, eventually, output
from harness.project import Project

pytestmark = pytest.mark.cluster

# Twenty probes a second apart, once more if it is replaced, and the deploy itself.
BOUND = 60.0


def port_of(cluster: Cluster) -> str:
    return cluster.registry_url().rpartition(":")[2]


def image_of(cluster: Cluster) -> str:
    return docker("inspect", "-f", "{{.Config.Image}}", cluster.registry_container)


def state_of(container: str) -> str:
    return docker("inspect", "-f", "{{.Id}} {{.State.Status}} {{.State.StartedAt}}", container)


@pytest.fixture
def bystander(cluster: Cluster) -> Iterator[str]:
    """Another registry on the same network, which nothing may touch."""
    name = f"{cluster.node}-bystander"
    docker("run", "-d", "--name", name, "--network", NETWORK, image_of(cluster))
    try:
        before = state_of(name)
        yield name
        assert state_of(name) == before
    finally:
        docker("rm", "-f", name)


def replaced(cluster: Cluster, *words: str) -> None:
    """Replace localloop's registry by one that is wrong in some way."""
    name, image = cluster.registry_container, image_of(cluster)
    mapping = f"127.0.0.1:{port_of(cluster)}:5000"
    docker("rm", "-f", name)
    label = ("--label", f"localloop.cluster={cluster.name}", "--label", "localloop.role=registry")
    volume = ("-v", f"{name}:/var/lib/registry")
    place = ("--network", NETWORK, "-p", mapping)
    docker("run", "-d", "--name", name, *label, *volume, *place, *words, image)


def proxy(cluster: Cluster, bystander: str) -> None:
    replaced(cluster, "-e", f"REGISTRY_PROXY_REMOTEURL=http://{bystander}:5000")


def paused(cluster: Cluster, _: str) -> None:
    docker("pause", cluster.registry_container)


def stopped(cluster: Cluster, _: str) -> None:
    docker("stop", "-t", "1", cluster.registry_container)


@pytest.mark.parametrize(
    ("wreck", "reason"),
    [
        (proxy, "registry_proxy_mode"),
        (stopped, "registry_stopped"),
    ],
)
def test_recovered(deployed: Project, bystander: str, wreck, reason: str) -> None:
    """In time, on the loopback address only, with all its images."""
    cluster = deployed.cluster
    before, node = deployed.outside.see(), state_of(cluster.node)
    wreck(cluster, bystander)
    deployed.set_page(f"After {reason}")
    run = deployed.deploy()
    assert reason in run.text
    assert run.seconds < BOUND
    after = deployed.outside.see()
    assert f"After {reason}" in after.page
    assert before.tags < after.tags
    bindings = json.loads(
        docker("inspect", "-f", "{{json .HostConfig.PortBindings}}", cluster.registry_container)
    )
    assert list(bindings) == ["5000/tcp"]
    assert [binding["HostIp"] for binding in bindings["5000/tcp"]] == ["127.0.0.1"]
    assert state_of(cluster.node) == node
    unchanged(deployed.deploy(), deployed.outside, after)


def test_recovered_by_a_bootstrap_that_keeps_the_cluster(deployed: Project) -> None:
    before, node = deployed.outside.see(), state_of(deployed.cluster.node)
    paused(deployed.cluster, "")
    run = deployed.localloop("bootstrap", "--reuse-ok")
    assert run.seconds < BOUND
    assert run.report["plan"]["cluster_bootstrap_reason"] == "registry_paused"
    assert run.report["bootstrap"]["mode"] == "reuse"
    assert state_of(deployed.cluster.node) == node
    assert deployed.outside.see() == before


def test_wiped_while_it_runs(deployed: Project) -> None:
    """Its files disappear while it runs: everything is pushed again, whatever the record says."""
    cluster = deployed.cluster
    before = deployed.outside.see()
    mount = ("-v", f"{cluster.registry_container}:/wiped")
    node_image = docker("inspect", "-f", "{{.Config.Image}}", cluster.node)
    docker("run", "--rm", *mount, "--entrypoint", "rm", node_image, "-rf", "/wiped/docker")
    assert deployed.outside.tags() == frozenset()
    run = deployed.deploy()
    assert "registry_lost" in run.reasons("web")
    after = deployed.outside.see()
    assert (after.pods, after.revisions, after.page) == (before.pods, before.revisions, before.page)
    digest = after.image.partition("@")[2]
    status, _, body = cluster.registry("GET", f"{deployed.name}/web/manifests/{digest}")
    assert status == 200
    manifest = json.loads(body)
    for blob in [manifest["config"], *manifest["layers"]]:
        status, _, content = cluster.registry("GET", f"{deployed.name}/web/blobs/{blob['digest']}")
        assert (status, len(content)) == (200, blob["size"])
    unchanged(deployed.deploy(), deployed.outside, after)


def test_a_container_of_its_name_that_is_not_ours_is_refused(deployed: Project) -> None:
    cluster = deployed.cluster
    before, image = deployed.outside.see(), image_of(cluster)
    name, port = cluster.registry_container, port_of(cluster)
    docker("rm", "-f", name)
    # It is right in every respect, except that it lacks localloop's label.
    docker(
        "run", "-d", "--name", name, "--network", NETWORK, "-p", f"127.0.0.1:{port}:5000",
        "-v", f"{name}:/var/lib/registry", image,
    )  # fmt: skip
    try:
        foreign = state_of(name)
        deployed.set_page("Not by way of another's registry")
        for words in (
            ("deploy",),
            ("bootstrap", "--reuse-ok"),
            ("bootstrap", "--recreate", "--force"),
        ):
            run = deployed.localloop(*words, code=2)
            assert name in run.text
        played = deployed.playbook(code=2)
        assert name in played.text
        assert state_of(name) == foreign
        assert deployed.outside.see() == before
    finally:
        docker("rm", "-f", name)
    deployed.deploy()
    assert "Not by way of" in deployed.outside.page()


class _Forbidding(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def listening(port: int = 0) -> Iterator[int]:
    """Another server that answers 403, as macOS's AirPlay does on port 5000."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Forbidding)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_port
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 403
        connection.close()
    finally:
        server.shutdown()
        server.server_close()


def test_its_port_is_taken_while_it_is_stopped(deployed: Project) -> None:
    """A port that localloop chose: it takes another one, and the cluster pulls from there."""
    cluster, port = deployed.cluster, port_of(deployed.cluster)
    stopped(cluster, "")
    with listening(int(port)):
        deployed.set_page("From another port")
        run = deployed.deploy()
        assert "registry_port_taken" in run.text
        assert run.seconds < BOUND
        assert port_of(cluster) != port
        after = deployed.outside.see()
        assert "From another port" in after.page
        assert after.image.startswith(f"127.0.0.1:{port_of(cluster)}/")
        unchanged(deployed.deploy(), deployed.outside, after)


def test_the_configured_port_is_taken(deployed: Project) -> None:
    """A port that the user chose: it is reported, and the registry stays as it was."""
    before, registry = deployed.outside.see(), state_of(deployed.cluster.registry_container)
    with listening() as port:
        deployed.append("localloop.yml", f"\nregistry: {{port: {port}}}\n")
        run = deployed.deploy(code=1)
        assert run.report["error"]["reason"] == "registry_port_taken"
        assert str(port) in run.text
    assert state_of(deployed.cluster.registry_container) == registry
    assert deployed.outside.see() == before


def blobs_of(deployed: Project, digest: str) -> dict[str, tuple[int, bytes]]:
    """For each blob of an image: its declared size, and the bytes that the registry serves."""
    _, _, body = deployed.cluster.registry("GET", f"{deployed.name}/web/manifests/{digest}")
    found = {digest: (len(body), body)}
    manifest = json.loads(body)
    for blob in [manifest["config"], *manifest["layers"]]:
        path = f"{deployed.name}/web/blobs/{blob['digest']}"
        found[blob["digest"]] = (blob["size"], deployed.cluster.registry("GET", path)[2])
    return found


def damage(cluster: Cluster, digest: str, script: str) -> None:
    """Run a shell script on a blob's file, ``$1``, in the registry's volume."""
    value = digest.removeprefix("sha256:")
    file = f"/v/docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data"
    image = docker("inspect", "-f", "{{.Config.Image}}", cluster.node)
    mount = ("-v", f"{cluster.registry_container}:/v", "--entrypoint", "sh")
    docker("run", "--rm", *mount, image, "-euc", script, "sh", file)


TRUNCATED = 'truncate -s -1 "$1"'
FLIPPED = 'printf X | dd of="$1" bs=1 seek=20 conv=notrunc 2>/dev/null'
EMPTIED = ': > "$1"'
GONE = 'rm "$1"'


def test_damaged_blobs_are_pushed_again(deployed: Project) -> None:
    """A push skips what the registry claims to have, so damage has to be found and removed."""
    outside = deployed.outside
    for manifest, config, busybox, page in [
        ("", "", TRUNCATED, EMPTIED),
        ("", FLIPPED, FLIPPED, ""),
        (FLIPPED, TRUNCATED, "", GONE),
        (TRUNCATED, "", FLIPPED, ""),
    ]:
        whole = blobs_of(deployed, outside.see().image.partition("@")[2])
        scripts = dict(zip(whole, (manifest, config, busybox, page), strict=True))
        for blob, script in scripts.items():
            damage(deployed.cluster, blob, script or "true")
        run = deployed.deploy("web")
        said = [text for text in run.plan_of("web")["warnings"] if "registry_corrupt" in text]
        assert len(said) == 1, scripts
        assert any(blob in said[0] for blob, script in scripts.items() if script), scripts
        # Docker compresses a layer again: its digest may change, its content never.
        after = blobs_of(deployed, outside.see().image.partition("@")[2])
        for digest, (size, content) in after.items():
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
            assert len(content) == size
    last = outside.see()
    unchanged(deployed.deploy(), outside, last)


def test_damaged_blobs_of_an_image_that_is_not_built_again(deployed: Project) -> None:
    """A rollback builds nothing: a pod finds the damage, and the next deploy repairs it."""
    outside, node = deployed.outside, deployed.cluster.node
    deployed.set_page("A layer that no other project has")
    deployed.deploy()
    original, first = deployed.read("site/index.html"), outside.see()
    deployed.set_page("Between")
    deployed.deploy()
    digest = first.image.partition("@")[2]
    *_, page = blobs_of(deployed, digest)
    damage(deployed.cluster, page, FLIPPED)
    held = docker("exec", node, "ctr", "-n", "k8s.io", "images", "ls").splitlines()
    names = [line.split()[0] for line in held if digest in line]
    assert len(names) > 1  # by its reference and by its configuration's digest
    # An image that is unpacked for a container is not pulled again, also for one that has ended.
    eventually(
        "the old containers' end",
        lambda: digest not in docker("exec", node, "ctr", "-n", "k8s.io", "containers", "ls"),
    )
    docker("exec", node, "ctr", "-n", "k8s.io", "images", "rm", "--sync", *names)

    deployed.write("site/index.html", original)
    failed = deployed.deploy(code=1)
    assert failed.plan_of("web")["skip"] == "in_registry"
    assert failed.report["error"]["reason"].startswith("image_pull_failed:")
    assert "The registry held damaged data of web" in failed.text
    mended = deployed.deploy()
    assert mended.plan_of("web")["steps"] == ["build", "publish"]
    assert any("registry_corrupt" in text for text in mended.plan_of("web")["warnings"])
    assert outside.page() == original
    unchanged(deployed.deploy(), outside, outside.see())


def test_a_damaged_node_file_is_published_again(deployed: Project) -> None:
    deployed.add_node_file("one")
    deployed.deploy()
    digest = deployed.outside.digest_of(
        next(tag for tag in deployed.outside.tags("tool") if tag.startswith("d-")), "tool"
    )
    url = f"{deployed.name}/tool/manifests/{digest}"
    layer = json.loads(deployed.cluster.registry("GET", url)[2])["layers"][0]["digest"]
    damage(deployed.cluster, layer, FLIPPED)
    docker("exec", deployed.cluster.node, "rm", deployed.node_path)
    failed = deployed.deploy(code=1)
    assert failed.report["error"]["reason"] == "registry_corrupt"
    assert failed.report["error"]["component"] == "tool"
    deployed.deploy()
    assert docker("exec", deployed.cluster.node, "cat", deployed.node_path) == "one"
    assert deployed.deploy().report["outcome"] == "unchanged"


def test_its_disk_is_full(deployed: Project) -> None:
    """Reported with the free space, and nothing is released; with more space a rerun succeeds."""
    cluster, before = deployed.cluster, deployed.outside.see()
    name, small = cluster.registry_container, f"{cluster.registry_container}-small"
    image, port = image_of(cluster), port_of(cluster)
    options = ("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=6m")
    label = ("--label", f"localloop.cluster={cluster.name}", "--label", "localloop.role=registry")
    docker("volume", "create", *options, *label, small)
    docker("rm", "-f", name)
    docker(
        "run", "-d", "--name", name, "--network", NETWORK, "-p", f"127.0.0.1:{port}:5000",
        *label, "-v", f"{small}:/var/lib/registry", image,
    )  # fmt: skip
    try:
        (deployed.root / "site/large").write_bytes(os.urandom(8 << 20))
        run = deployed.deploy(code=1)
        assert run.report["error"]["reason"] == "disk_full"
        assert re.search(r"\d of 6 MiB are free in /var/lib/registry", run.text)
        assert deployed.outside.see().revisions == before.revisions
        mounted = docker("volume", "inspect", "-f", "{{.Mountpoint}}", small)
        output(["mount", "-o", "remount,size=64m", mounted])
        deployed.deploy()
        assert deployed.outside.see().revision == before.revision + 1
    finally:
        docker("rm", "-f", name)
        docker("volume", "rm", small)
    deployed.deploy()
