"""What is read from the kind command."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.cluster import kind

KIND = """\
#!/bin/sh
case $1 in
version) echo "kind v0.33.0 go1.26.8 linux/amd64" ;;
get) printf 'apiVersion: v1\\nkind: Config\\n\\n' ;;
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
