"""What is read from the kind command."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.cluster import kind
from localloop.cluster.state import kubeconfig_path
from localloop.errors import LocalloopError, UsageError

KIND = """\
#!/bin/sh
case $1 in
version) echo "kind v0.33.0 go1.26.8 linux/amd64" ;;
get) printf 'apiVersion: v1\\nkind: Config\\n\\n' ;;
load) echo "$@" >&2; [ "$7" != away ] ;;
esac
"""


def test_the_kubeconfig_is_the_one_that_create_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kind prints one newline more than it writes: a difference would be taken for another."""
    (tmp_path / "kind").write_text(KIND)
    (tmp_path / "kind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert kind.read_kubeconfig("demo", environ={}) == b"apiVersion: v1\nkind: Config\n"


def test_an_archive_goes_to_one_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kind").write_text(KIND)
    (tmp_path / "kind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    kind.load_archive("demo", "demo-worker", tmp_path / "image.tar", environ={})
    with pytest.raises(LocalloopError) as caught:
        kind.load_archive("demo", "away", tmp_path / "image.tar", environ={})
    assert caught.value.reason == "kind_failed"
    words = f"load image-archive {tmp_path}/image.tar --name demo --nodes away"
    assert words in caught.value.message


@pytest.mark.parametrize("act", ["create", "delete"])
def test_without_a_usable_kind_the_kubeconfig_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    def refuse() -> str:
        raise UsageError("tool_too_old:kind", "kind is of no version")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(kind, "require_kind", refuse)
    path = kubeconfig_path("demo")
    path.parent.mkdir(parents=True)
    path.write_text("kept")
    with pytest.raises(UsageError):
        if act == "create":
            kind.create("demo", path, "x:1", say=str, environ={})
        else:
            kind.delete("demo", environ={})
    assert path.read_text() == "kept"
