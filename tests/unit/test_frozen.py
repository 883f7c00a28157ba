"""The kubeconfig of one run: private, complete, and swept up after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from localloop.cluster import frozen
from localloop.cluster.frozen import freeze, frozen_path, sweep
from localloop.config.model import ClusterConfig
from localloop.config.yaml_tree import load_tree
from localloop.errors import LocalloopError, UsageError
from localloop.kube.kubeconfig import KubeConfig, load_kubeconfig
from localloop.system.locks import Lock, lock_path
from localloop.system.paths import state_dir

SERVER = "https://127.0.0.1:6443"
HOLD = """
import sys, time
from pathlib import Path
from localloop.cluster.frozen import freeze
from localloop.config.model import ClusterConfig
from localloop.kube.kubeconfig import load_kubeconfig
from localloop.system.locks import Lock
lock = Lock(Path(sys.argv[2]))
lock.acquire({}, exclusive=True)
print(freeze(load_kubeconfig(sys.argv[1], "dev"), ClusterConfig(name="demo"), {}, lock.path))
sys.stdout.flush()
time.sleep(60)
"""


def written(folder: Path, **user: Any) -> Path:
    path = folder / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": SERVER}}],
                "users": [{"name": "u", "user": user or {"token": "t"}}],
            }
        )
    )
    return path


@pytest.fixture
def lock() -> Iterator[Lock]:
    """The lock of this run's project, held."""
    found = Lock(lock_path("project", "existing/dev", "demo"))
    found.acquire({}, exclusive=True)
    yield found
    found.release()


def frozen_copy(
    folder: Path, lock: Lock, environ: dict[str, str] | None = None, **user: Any
) -> Path:
    config = load_kubeconfig(written(folder, **user), "dev")
    wanted = ClusterConfig(name="demo", allow_exec=("login",))
    return freeze(config, wanted, environ or {}, lock.path)


def copies() -> list[Path]:
    return sorted((state_dir() / "frozen").iterdir())


def test_it_is_private(tmp_path: Path, lock: Lock) -> None:
    before = os.umask(0)
    try:
        path = frozen_copy(tmp_path, lock)
    finally:
        os.umask(before)
    assert copies() == [path] == [frozen_path(lock.path)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_what_a_kill_left_is_swept_up_by_the_next_run(tmp_path: Path, lock: Lock) -> None:
    theirs = lock_path("project", "existing/dev", "other")
    argv = [sys.executable, "-c", HOLD, str(written(tmp_path)), str(theirs)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        try:  # the other run lives: its copy stays
            path = frozen_copy(tmp_path, lock)
            assert copies() == sorted([left, path])
        finally:
            other.send_signal(signal.SIGKILL)
        other.wait()
    (left.parent / f".{left.name}.4711").write_text("half written")
    assert frozen_copy(tmp_path, lock) == path
    assert copies() == [path]


def test_a_run_that_begins_during_a_sweep_keeps_its_copy(tmp_path: Path, lock: Lock) -> None:
    path = frozen_copy(tmp_path, lock)

    def many() -> None:
        for _ in range(50):
            sweep(path.parent, lock.path.parent)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        lock.release()
        lock.acquire({}, exclusive=True)
        frozen_copy(tmp_path, lock)
        assert path.exists()
    for thread in threads:
        thread.join()
    assert load_kubeconfig(path, "dev").token == "t"


def test_what_is_not_ours_stays(tmp_path: Path, lock: Lock) -> None:
    folder = state_dir() / "frozen"
    (folder / "x.kubeconfig").mkdir(parents=True)
    (folder / "notes").write_text("mine")
    (tmp_path / "elsewhere").write_text("stays")
    (folder / "y.kubeconfig").symlink_to(tmp_path / "elsewhere")
    path = frozen_copy(tmp_path, lock)
    assert copies() == sorted([path, folder / "notes", folder / "x.kubeconfig"])
    assert (tmp_path / "elsewhere").read_text() == "stays"


def test_a_folder_that_cannot_be_written(tmp_path: Path, lock: Lock) -> None:
    (state_dir() / "frozen").write_text("a file")
    with pytest.raises(LocalloopError) as caught:
        frozen_copy(tmp_path, lock)
    assert caught.value.reason == "state_unwritable"


def test_nothing_is_written_of_what_may_not_be_deployed_to(lock: Lock) -> None:
    config = KubeConfig("prod", "https://10.20.0.4:6443", document={"users": []})
    with pytest.raises(UsageError):
        freeze(config, ClusterConfig(name="demo"), {}, lock.path)
    assert not (state_dir() / "frozen").exists()


def test_a_plugin_keeps_the_users_environment(tmp_path: Path, lock: Lock) -> None:
    plugin = tmp_path / "login"
    token = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
    token |= {"status": {"token": "t"}}  # type: ignore[dict-item]
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(token)}'\n")
    plugin.chmod(0o755)
    environ = {"PATH": str(tmp_path), "PROFILE": "dev", "BAD": "\udcff", "REGION": "us"}
    stanza = {
        "command": "login",
        "apiVersion": token["apiVersion"],
        "interactiveMode": "IfAvailable",
        "env": [{"name": "REGION", "value": "eu"}],
    }
    monkey = pytest.MonkeyPatch()
    monkey.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    try:
        path = frozen_copy(tmp_path, lock, environ, exec=stanza)
    finally:
        monkey.undo()
    found = load_kubeconfig(path, "dev").plugin
    document = yaml.safe_load(path.read_text())
    assert found is not None
    assert found.argv == (str(plugin),)
    assert found.env == {"PATH": str(tmp_path), "PROFILE": "dev", "REGION": "eu"}
    assert document["users"][0]["user"]["exec"]["interactiveMode"] == "Never"


VIEW = ["kubectl", "config", "view", "--raw", "--flatten", "--minify", "-o", "json"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXTS, TEXTS | st.booleans() | st.lists(TEXTS)))
def test_any_text_is_read_back_as_it_was(document: dict[str, Any]) -> None:
    text = frozen._text(document)
    assert yaml.safe_load(text) == document
    assert load_tree(text.encode(), "x").plain() == document


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_reads_the_copy_as_we_do(tmp_path: Path, lock: Lock) -> None:
    (tmp_path / "token").write_text("from-file")
    odd = {"username": "0o17", "password": 'é "\u2028\U0001f600\x7f\\', "tokenFile": "token"}
    path = frozen_copy(tmp_path, lock, None, **odd)
    argv = [*VIEW, "--kubeconfig", str(path), "--context", "dev"]
    found = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert found["clusters"][0]["cluster"] == {"server": SERVER}
    assert found["users"][0]["user"] == odd | {"tokenFile": str(tmp_path / "token")}
    assert found["contexts"][0]["name"] == found["current-context"] == "dev"
