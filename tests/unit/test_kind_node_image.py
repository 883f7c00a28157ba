"""The files that our node image for kind is made of: its scripts on a made-up machine, and what its
manifests, pins and images have to agree on.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

IMAGE = Path(__file__).parents[2] / "roles/cluster/files/node-image"
ROOTFS = IMAGE / "rootfs"
GOLDEN = Path(__file__).parent / "fixtures/kind_node"
VERSIONS = ("1.35", "1.36", "1.37")
SECONDS = 30


# --- the entrypoint ------------------------------------------------------------------------------


@dataclass
class Node:
    """A node's files below a directory, and stand-ins for programs that would change a machine."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        return self.root.parent / "bin"

    @property
    def calls(self) -> Path:
        return self.root.parent / "calls"

    def write(self, name: str, text: str = "") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def stand_in(self, name: str, script: str = "") -> None:
        """A program that notes that it was called."""
        path = self.bin / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n{script}\n')
        path.chmod(0o755)

    def answers(self, name: str, output: str = "", code: int = 0) -> None:
        """A program that only says something."""
        self.stand_in(name)
        path = self.bin / name
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\nexit {code}\n")

    def start(self) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            [ROOTFS / "usr/local/bin/entrypoint", "echo", "systemd runs"],
            env={
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "NODE_ROOT": str(self.root),
                **self.environ,
            },
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def shown(self, done: subprocess.CompletedProcess[str], *names: str) -> str:
        """What was said, called and written, with the test's own directory taken out."""
        parts = [f"--- exit {done.returncode}\n{done.stdout}{done.stderr}"]
        parts.append(f"--- calls\n{self.calls.read_text()}")
        for name in names:
            parts += [f"--- {name}\n{(self.root / name).read_text()}"]
        text = "".join(parts).replace(str(self.root), "ROOT")
        return re.sub(r"/tmp\.\w+", "/PROBE", text)


WRITTEN = (
    "etc/containerd/config.toml",
    "etc/kubernetes/kubelet.conf.d/10-node.conf",
    "etc/systemd/system.conf.d/proxies.conf",
    "kind/resolv.conf",
    "kind/address",
)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path / "root")
    shutil.copytree(ROOTFS, made.root)
    made.write("proc/self/uid_map", "         0          0 4294967295\n")
    made.write("proc/self/oom_score_adj", "0\n")
    made.write("proc/sys/kernel/random/uuid", "11111111-2222-3333-4444-555555555555\n")
    made.write("proc/sys/net/ipv4/conf/all/arp_ignore", "2\n")
    made.write("dev/kmsg")
    made.write("var/lib/.keep")
    made.write("etc/resolv.conf", "nameserver 127.0.0.11\nsearch corp.example\noptions ndots:0\n")
    for name in ("mount", "umount", "ip", "update-alternatives", "systemd-machine-id-setup"):
        made.stand_in(name)
    made.stand_in("kubeadm")
    made.answers("hostname", "dev-control-plane")
    made.answers("getent", "172.18.0.2      STREAM dev-control-plane")
    made.answers("iptables-legacy-save", code=1)
    made.answers("iptables-nft-save", "*nat\n-A DOCKER_OUTPUT -d 127.0.0.11/32 -j DNAT\nCOMMIT")
    return made


def cgroup_v2(node: Node) -> None:
    node.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n")


def golden(name: str, got: str) -> None:
    """The same as last time; UPDATE_GOLDEN=1 writes what is to be looked at instead."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(got)
    assert got == path.read_text()


def test_first_start_on_cgroup_v2(node: Node) -> None:
    cgroup_v2(node)
    node.environ = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "a,b"}
    golden("first-start-cgroup-v2", node.shown(node.start(), *WRITTEN))


def test_first_start_on_cgroup_v1_where_no_oom_score_may_be_lowered(node: Node) -> None:
    score = node.root / "proc/self/oom_score_adj"
    score.unlink()
    score.mkdir()
    golden("first-start-cgroup-v1", node.shown(node.start(), *WRITTEN))


def test_file_system_without_overlays(node: Node) -> None:
    node.stand_in("mount", 'case "$*" in *overlay*) exit 32 ;; esac')
    node.start()
    config = (node.root / "etc/containerd/config.toml").read_text()
    assert '\n  snapshotter = "native"\n' in config
    assert not list((node.root / "var/lib").glob("tmp.*"))


def test_legacy_iptables_of_the_host(node: Node) -> None:
    node.answers("iptables-legacy-save", "-A DOCKER_OUTPUT -j DNAT\n-A OUTPUT -j DOCKER_OUTPUT")
    node.start()
    assert "--set iptables /usr/sbin/iptables-legacy" in node.calls.read_text()
    assert "--set ip6tables /usr/sbin/ip6tables-legacy" in node.calls.read_text()


def test_second_start_keeps_what_kind_patched(node: Node) -> None:
    node.start()
    config = node.root / "etc/containerd/config.toml"
    patched = config.read_text().replace('snapshotter = "overlayfs"', 'snapshotter = "mine"')
    config.write_text(patched)
    identity = (node.root / "kind/product_uuid").read_text()
    node.write("proc/sys/kernel/random/uuid", "another\n")
    assert node.start().returncode == 0
    assert config.read_text() == patched
    assert (node.root / "kind/product_uuid").read_text() == identity
    assert "update-alternatives" not in node.calls.read_text()


@pytest.mark.parametrize(
    ("environ", "lines"),
    [
        ({}, ["search corp.example", "options ndots:0"]),
        ({"KIND_DNS_SEARCH": "one two"}, ["search one two", "options ndots:0"]),
        ({"KIND_DNS_SEARCH": ""}, ["options ndots:0"]),
    ],
)
def test_search_domains_of_pods(node: Node, environ: dict[str, str], lines: list[str]) -> None:
    node.environ = environ
    node.start()
    written = (node.root / "kind/resolv.conf").read_text().splitlines()
    assert written == ["nameserver 169.254.53.53", *lines]


def test_user_namespace_is_refused(node: Node) -> None:
    node.write("proc/self/uid_map", "0 100000 65536\n")
    done = node.start()
    assert done.returncode == 1
    assert "rootless Docker" in done.stderr
    assert "systemd runs" not in done.stdout


def as_kubeadm_left_it(node: Node, address: str) -> None:
    server = f"    - --advertise-address={address}\n    - --other=1{address}\n"
    node.write("etc/kubernetes/manifests/kube-apiserver.yaml", server)
    node.write("etc/kubernetes/scheduler.conf", f"server: https://{address}:6443\n")
    node.write("kind/kubeadm.conf", f"advertiseAddress: {address}\n")
    node.write("var/lib/kubelet/kubeadm-flags.env", f'KUBELET_KUBEADM_ARGS="--node-ip={address}"\n')


MOVED = (
    "etc/kubernetes/manifests/kube-apiserver.yaml",
    "etc/kubernetes/scheduler.conf",
    "kind/kubeadm.conf",
    "var/lib/kubelet/kubeadm-flags.env",
    "kind/address",
)


def test_control_plane_at_another_address(node: Node) -> None:
    node.start()
    as_kubeadm_left_it(node, "172.18.0.2")
    for name in ("ca", "apiserver", "etcd/server", "etcd/peer", "front-proxy-client"):
        node.write(f"etc/kubernetes/pki/{name}.crt")
        node.write(f"etc/kubernetes/pki/{name}.key")
    node.answers("getent", "172.18.0.77     STREAM dev-control-plane")
    golden("moved-control-plane", node.shown(node.start(), *MOVED))
    left = {path.name for path in (node.root / "etc/kubernetes/pki").rglob("*.key")}
    assert left == {"ca.key", "front-proxy-client.key"}


def test_worker_at_another_address(node: Node) -> None:
    node.start()
    as_kubeadm_left_it(node, "172.18.0.2")
    node.answers("getent", "172.18.0.3      STREAM dev-worker")
    node.start()
    assert "--node-ip=172.18.0.3" in (node.root / MOVED[3]).read_text()
    assert "kubeadm" not in node.calls.read_text()


def test_same_address_changes_nothing(node: Node) -> None:
    node.start()
    as_kubeadm_left_it(node, "172.18.0.2")
    node.write("etc/kubernetes/pki/ca.key")
    node.write("etc/kubernetes/pki/apiserver.key")
    node.start()
    assert (node.root / "etc/kubernetes/pki/apiserver.key").exists()
    assert "kubeadm" not in node.calls.read_text()


def test_move_that_was_cut_short_is_made_again(node: Node) -> None:
    node.start()
    as_kubeadm_left_it(node, "172.18.0.2")
    node.write("etc/kubernetes/pki/ca.key")
    node.answers("getent", "172.18.0.9      STREAM dev-control-plane")
    node.stand_in("kubeadm", "exit 1")
    assert node.start().returncode == 1
    node.stand_in("kubeadm")
    assert node.start().returncode == 0
    assert "kubeadm init phase certs all" in node.calls.read_text()


def test_node_without_ipv4_is_refused(node: Node) -> None:
    node.answers("getent", code=2)
    done = node.start()
    assert done.returncode == 1
    assert "IPv6 networks are not supported" in done.stderr


# --- cgroups -------------------------------------------------------------------------------------


def make_cgroups(root: Path) -> str:
    """Run the script on a made-up /sys/fs/cgroup; every file that is there afterwards."""
    subprocess.run([ROOTFS / "usr/local/lib/node/make-cgroups", root], check=True, timeout=SECONDS)
    lines = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        lines.append(f"{name}: {path.read_text().strip()}" if path.is_file() else f"{name}/")
    return "\n".join(lines) + "\n"


def test_cgroups_of_version_2(tmp_path: Path) -> None:
    # The kernel gives a group what its parent hands down: here it is there before.
    for group in (".", "kubelet", "kubelet.slice", "init.scope"):
        (tmp_path / group).mkdir(exist_ok=True)
        (tmp_path / group / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    golden("cgroups-v2", make_cgroups(tmp_path))


def test_cgroups_of_version_1(tmp_path: Path) -> None:
    for hierarchy in ("memory", "cpu,cpuacct", "cpuset", "systemd", "unified"):
        (tmp_path / hierarchy).mkdir()
        (tmp_path / hierarchy / "cgroup.procs").write_text("1\n")
    (tmp_path / "unified/cgroup.controllers").write_text("")
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-3\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    (tmp_path / "not-a-hierarchy").mkdir()
    golden("cgroups-v1", make_cgroups(tmp_path))


# --- what has to agree ---------------------------------------------------------------------------


def manifest(name: str) -> list[dict[str, Any]]:
    text = (ROOTFS / "kind/manifests" / name).read_text()
    filled = text.replace("{{ .PodSubnet }}", "10.244.0.0/16")
    assert "{{" not in filled, "kind fills in nothing else"
    return [each for each in yaml.safe_load_all(filled) if each]


def images_of(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "image":
                yield str(each)
            else:
                yield from images_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from images_of(each)
    elif isinstance(value, str) and "\nspec:" in value:
        yield from images_of(yaml.safe_load(value))
    elif isinstance(value, str) and value.startswith("--helper-image="):
        yield value.partition("=")[2]


@pytest.mark.parametrize("name", ["default-cni.yaml", "default-storage.yaml"])
def test_images_of_manifests_are_made(name: str) -> None:
    made = set(re.findall(r'^echo "(\S+:node) ', (IMAGE / "build/lay-out").read_text(), re.M))
    used = set(images_of(manifest(name)))
    assert used
    assert used <= made


def test_network_manifest_is_what_kind_patches() -> None:
    text = (ROOTFS / "kind/manifests/default-cni.yaml").read_text()
    assert "would you kindly template this file" in text
    assert "would you kindly patch this file" in text
    (daemon_set,) = [each for each in manifest("default-cni.yaml") if each["kind"] == "DaemonSet"]
    # kind adds CONTROL_PLANE_ENDPOINT to this list, which has to be there.
    assert daemon_set["spec"]["template"]["spec"]["containers"][0]["env"]


def test_storage_class_is_kinds() -> None:
    (found,) = [each for each in manifest("default-storage.yaml") if each["kind"] == "StorageClass"]
    assert found["metadata"]["name"] == "standard"
    assert found["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert found["provisioner"] == "rancher.io/local-path"
    assert found["volumeBindingMode"] == "WaitForFirstConsumer"


@pytest.mark.parametrize("minor", VERSIONS)
def test_every_module_of_a_version_is_pinned(minor: str) -> None:
    module = (IMAGE / "kubernetes" / minor / "go.mod").read_text()
    sums = (IMAGE / "kubernetes" / minor / "go.sum").read_text()
    (kubernetes,) = re.findall(r"^\s*(?:require )?k8s\.io/kubernetes v(\S+)", module, re.M)
    assert kubernetes.startswith(f"{minor}.")
    staging = f"v0.{kubernetes.removeprefix('1.')}"
    replaced = dict(re.findall(r"^\s*(k8s\.io/\S+) => k8s\.io/\S+ (\S+)$", module, re.M))
    assert set(replaced.values()) == {staging}
    for name in ("k8s.io/api", "k8s.io/client-go", "k8s.io/kubelet"):
        assert f"{name} {staging} h1:" in sums
    unreplaced = set(re.findall(r"^\s*(\S+) v0\.0\.0(?: |$)", module, re.M)) - set(replaced)
    assert not unreplaced


def test_versions_are_these() -> None:
    found = {path.parent.name for path in (IMAGE / "kubernetes").glob("*/go.mod")}
    assert found == set(VERSIONS)


def test_no_architecture_is_written_down() -> None:
    for path in IMAGE.rglob("*"):
        if path.is_file() and path.suffix not in {".sum", ".mod", ".md"}:
            assert not re.search(r"amd64|arm64|x86_64|aarch64", path.read_text()), path


def test_scripts_are_executable_and_parse() -> None:
    scripts = [
        path
        for path in IMAGE.rglob("*")
        if path.is_file() and path.read_bytes().startswith((b"#!/bin/bash", b"#!/bin/sh"))
    ]
    assert scripts
    for path in scripts:
        assert os.access(path, os.X_OK), path
        subprocess.run(["bash", "-n", path], check=True, timeout=SECONDS)


# --- the programs: their own tests ---------------------------------------------------------------


def go_test(directory: Path, *packages: str) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip(
            "Go is not installed: `make tools` brings it, and these programs' tests need it"
        )
    done = subprocess.run(
        [go, "test", *packages],
        cwd=directory,
        env={**os.environ, "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "auto"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "toolchain not available" in done.stderr or "dial tcp" in done.stderr:
        pytest.skip(f"Go cannot fetch what go.mod asks for: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_small_programs() -> None:
    go_test(IMAGE / "parts", "./cmd/dns-forward", "./cmd/pack-images", "./cmd/pause")


@pytest.mark.slow
def test_pod_network(tmp_path: Path) -> None:
    shutil.copytree(IMAGE / "kubernetes/cni", tmp_path / "cni")
    for name in ("go.mod", "go.sum"):
        shutil.copy(IMAGE / "kubernetes/1.37" / name, tmp_path / name)
    go_test(tmp_path, "./cni")
