"""The user's own kubeconfig: found, and one context merged into it."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from localloop.cluster import user_kubeconfig
from localloop.cluster.user_kubeconfig import (
    entry_in_user_config,
    merge_context,
    user_kubeconfigs,
)
from localloop.errors import BusyError, LocalloopError, UsageError

NAME = "kind-hello"


def kubeconfig(name: str = NAME, port: int = 26001, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "users": [{"name": name, "user": {"client-key-data": f"key {port}"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        **more,
    }


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return write(tmp_path / "ours", kubeconfig())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


# --- Which file ----------------------------------------------------------------------------------


def test_where_the_users_kubeconfig_is(home: Path) -> None:
    usual = home / ".kube/config"
    environ = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    own = f"{home}/state/localloop/clusters/hello/kubeconfig"
    for value, files in {
        "": [usual],
        "/a:/b": [Path("/a"), Path("/b")],
        ":/a:": [Path("/a")],
        own: [usual],
        f"{own}:/a": [Path("/a")],
    }.items():
        assert user_kubeconfigs({**environ, "KUBECONFIG": value}) == files


def test_whether_an_entry_is_there(home: Path) -> None:
    one = write(home / "one", kubeconfig("other"))
    two = write(home / "two", kubeconfig())
    damaged = write(home / "damaged", "{")
    environ = {"HOME": str(home), "KUBECONFIG": f"{home}/missing:{damaged}:{one}:{two}"}
    assert entry_in_user_config(environ, NAME) == two
    assert entry_in_user_config(environ, "other") == one
    assert entry_in_user_config(environ, "kind-other") is None
    assert entry_in_user_config({"HOME": str(home)}, NAME) is None


# --- Merging -------------------------------------------------------------------------------------


def test_a_file_that_does_not_exist_yet(home: Path, ours: Path) -> None:
    path = home / ".kube/config"
    assert merge_context(path, ours, NAME) is True
    wanted = kubeconfig()
    del wanted["current-context"]  # never set, not even where there was none
    assert read(path) == wanted
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == ["config"]
    assert merge_context(path, ours, NAME) is False


def test_an_empty_file(home: Path, ours: Path) -> None:
    path = write(home / "config", "# nothing\n")
    assert merge_context(path, ours, NAME) is True
    assert set(read(path)) == {"apiVersion", "kind", "clusters", "users", "contexts"}


THEIRS = """\
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: prod
clusters:
- name: prod
  cluster: {server: https://10.0.0.1, insecure-skip-tls-verify: false}
contexts:
- context: &ctx {cluster: prod, user: prod, namespace: "1e5"}
  name: prod
- context: *ctx
  name: also
users:
- name: prod
  user:
    token: 00215e6
    exec:
      command: x
      env: null
      args: [yes, 0o17, 1.10, 2026-01-01T00:00:00Z, '12e3', '0x1f', "no", ~, 7, "line\\nline", é]
extensions: []
"""


def test_everything_else_stays_as_it_is(home: Path, ours: Path) -> None:
    path = write(home / "config", THEIRS)
    path.chmod(0o640)
    assert merge_context(path, ours, NAME) is True
    assert mode(path) == 0o640

    def as_text(file: str) -> Any:
        """Scalars as they are written, except for quotes: no YAML version may see others."""
        return yaml.load(file, Loader=yaml.BaseLoader)

    before, after = as_text(THEIRS), as_text(path.read_text())
    for section in ("clusters", "users", "contexts"):
        *kept, added = after.pop(section)
        # BaseLoader has no null: PyYAML writes null for ~.
        assert str(kept) == str(before.pop(section)).replace("'~'", "'null'")
        assert added["name"] == NAME
    assert after == before
    for text in ('"00215e6"', '"12e3"', '"1e5"', '"0o17"', "'no'", "'yes'", '"0x1f"', '"1.10"'):
        assert text in path.read_text()  # numbers or truth values to some versions of YAML
    assert merge_context(path, ours, NAME) is False


def test_the_order_in_which_kubectl_writes_is_no_change(home: Path, ours: Path) -> None:
    path = write(home / "config", kubeconfig("other"))
    assert merge_context(path, ours, NAME) is True
    path.write_text(yaml.safe_dump(read(path), sort_keys=True))
    before = path.read_bytes()
    assert merge_context(path, ours, NAME) is False
    assert path.read_bytes() == before


def test_the_cluster_moved_to_another_port(home: Path, ours: Path) -> None:
    path = write(home / "config", kubeconfig(port=1))
    document = read(path)
    document["contexts"][0]["context"]["namespace"] = "mine"
    document["clusters"].append({"name": "other", "cluster": {"server": "https://x"}})
    write(path, document)
    assert merge_context(path, ours, NAME) is True
    found = read(path)
    assert found["clusters"] == [
        kubeconfig()["clusters"][0], {"name": "other", "cluster": {"server": "https://x"}}
    ]  # fmt: skip
    assert found["users"] == kubeconfig()["users"]
    assert found["contexts"][0]["context"] == {"cluster": NAME, "user": NAME, "namespace": "mine"}
    assert found["current-context"] == NAME


def test_a_context_of_another_cluster_stays(home: Path, ours: Path) -> None:
    document = kubeconfig()
    document["contexts"][0]["context"]["cluster"] = "prod"
    path = write(home / "config", document)
    before = path.read_bytes()
    with pytest.raises(UsageError) as caught:
        merge_context(path, ours, NAME)
    assert caught.value.reason == "context_not_ours"
    assert (
        caught.value.hint and f"rename-context {NAME} NEW --kubeconfig {path}" in caught.value.hint
    )
    assert path.read_bytes() == before
    assert [each.name for each in home.iterdir()] == ["config"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "text", "kind: Cluster\n", "contexts: {}\n", "users: [1]\n", "clusters: [{}]\n",
     "a: 1\na: 2\n", "a: &a [*a]\n", b"\xff\xfe\x00"],
)  # fmt: skip
def test_what_is_no_kubeconfig_stays(home: Path, ours: Path, text: str | bytes) -> None:
    home.mkdir()
    path = home / "config"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    before = path.read_bytes()
    with pytest.raises(UsageError) as caught:
        merge_context(path, ours, NAME)
    assert caught.value.reason == "kubeconfig_invalid"
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert [each.name for each in home.iterdir()] == ["config"]


def test_a_link_is_followed(home: Path, ours: Path) -> None:
    target = write(home / "dotfiles/kube", kubeconfig("other"))
    path = home / ".kube/config"
    path.parent.mkdir()
    path.symlink_to("../dotfiles/kube")
    assert merge_context(path, ours, NAME) is True
    assert path.is_symlink()
    assert [each["name"] for each in read(target)["contexts"]] == ["other", NAME]


def test_a_link_to_a_file_that_does_not_exist_yet(home: Path, ours: Path) -> None:
    home.mkdir()
    path = home / "config"
    path.symlink_to("new/kube")
    assert merge_context(path, ours, NAME) is True
    assert path.is_symlink()
    assert mode(home / "new/kube") == 0o600


def test_a_lock_that_is_released_in_time(home: Path, ours: Path) -> None:
    path = write(home / "config", kubeconfig("other"))
    lock = write(home / "config.lock", "")
    timer = threading.Timer(0.2, lock.unlink)
    timer.start()
    began = time.monotonic()
    assert merge_context(path, ours, NAME) is True
    assert time.monotonic() - began > 0.15
    timer.join()


def test_a_lock_that_is_left_over(home: Path, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_kubeconfig, "LOCK_WAIT_SECONDS", 0.1)
    path = write(home / "config", kubeconfig("other"))
    lock = write(home / "config.lock", "")
    before = path.read_bytes()
    with pytest.raises(BusyError) as caught:
        merge_context(path, ours, NAME)
    assert caught.value.reason == "kubeconfig_locked"
    assert caught.value.hint and f"rm {lock}" in caught.value.hint
    assert lock.exists() and path.read_bytes() == before


def test_a_file_that_cannot_be_written(
    home: Path, ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(home / "config", kubeconfig("other"))
    before = path.read_bytes()

    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(LocalloopError) as caught:
        merge_context(path, ours, NAME)
    assert (caught.value.reason, caught.value.exit_code) == ("kubeconfig_unwritable", 1)
    assert "No space left" in caught.value.message
    assert path.read_bytes() == before
    assert [each.name for each in home.iterdir()] == ["config"]


def test_a_folder_that_cannot_be_made(tmp_path: Path, ours: Path) -> None:
    write(tmp_path / "file", "")
    with pytest.raises(LocalloopError) as caught:
        merge_context(tmp_path / "file/config", ours, NAME)
    assert caught.value.reason in ("kubeconfig_unwritable", "kubeconfig_invalid")


def test_two_at_a_time_lose_nothing(home: Path, tmp_path: Path) -> None:
    path = write(home / "config", kubeconfig("first"))
    names = [f"kind-{number}" for number in range(8)]
    sources = [write(tmp_path / name, kubeconfig(name)) for name in names]
    threads = [
        threading.Thread(target=merge_context, args=(path, source, name))
        for source, name in zip(sources, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each["name"] for each in read(path)["contexts"]) == ["first", *names]
    assert os.listdir(home) == ["config"]  # noqa: PTH208
