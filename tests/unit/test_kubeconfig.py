from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from localloop.errors import UsageError
from localloop.kube.kubeconfig import load_kubeconfig


def _write(path: Path, **changes: Any) -> Path:
    document = {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "app"}},
            {"name": "kind-two", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [
            {
                "name": "c",
                "cluster": {
                    "server": "https://127.0.0.1:6443/",
                    "certificate-authority-data": base64.b64encode(b"CA").decode(),
                },
            }
        ],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        **changes,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_context(tmp_path: Path) -> None:
    config = load_kubeconfig(_write(tmp_path / "config"), "one")
    assert (config.context, config.server) == ("one", "https://127.0.0.1:6443")
    assert (config.namespace, config.token, config.ca_data) == ("app", "secret", b"CA")
    assert config.insecure is False
    assert "secret" not in repr(config)


def test_a_named_context(tmp_path: Path) -> None:
    config = load_kubeconfig(str(_write(tmp_path / "config")), "kind-two")
    assert (config.context, config.namespace) == ("kind-two", "default")


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("ca", "crt", "key", "token"):
        (tmp_path / name).write_text(f"{name}!\n")
    config = load_kubeconfig(
        _write(
            tmp_path / "config",
            clusters=[
                {"name": "c", "cluster": {"server": "https://h", "certificate-authority": "ca"}}
            ],
            users=[
                {
                    "name": "u",
                    "user": {
                        "client-certificate": "crt",
                        "client-key": "key",
                        "tokenFile": "token",
                    },
                }
            ],
        ),
        "one",
    )
    assert (config.ca_data, config.client_cert, config.client_key, config.token) == (
        b"ca!\n",
        b"crt!\n",
        b"key!\n",
        "token!",
    )


def test_several_files_the_first_wins(tmp_path: Path) -> None:
    first = _write(tmp_path / "a", users=[{"name": "u", "user": {"token": "first"}}])
    second = _write(tmp_path / "b")
    config = load_kubeconfig([first, second, tmp_path / "absent"], "kind-two")
    assert config.token == "first"


@pytest.mark.parametrize(
    ("changes", "context", "reason", "text"),
    [
        ({}, "knd-two", "context_missing", "kind-two"),
        ({}, "zzz", "context_missing", "there are: one, kind-two"),
        ({}, "", "context_missing", "cluster: {context: one}"),
        (
            {"users": [{"name": "u", "user": {"auth-provider": {"name": "gcp"}}}]},
            "one",
            "kubeconfig_credential_plugin",
            "auth-provider",
        ),
        ({"users": []}, "one", "kubeconfig_invalid", "'u'"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "one", "kubeconfig_invalid", "server"),
        (
            {
                "clusters": [
                    {
                        "name": "c",
                        "cluster": {"server": "https://h", "certificate-authority-data": "%"},
                    }
                ]
            },
            "one",
            "kubeconfig_invalid",
            "base64",
        ),
        (
            {"users": [{"name": "u", "user": {"client-key": "absent"}}]},
            "one",
            "kubeconfig_invalid",
            "absent",
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://h", "proxy-url": "x"}}]},
            "one",
            "kubeconfig_proxy",
            "proxy",
        ),
        ({"contexts": ["one"]}, "one", "kubeconfig_invalid", "contexts"),
    ],
)
def test_refusals(
    tmp_path: Path, changes: dict[str, Any], context: str, reason: str, text: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_kubeconfig(_write(tmp_path / "config", **changes), context)
    assert caught.value.reason == reason
    assert text in str(caught.value)


@pytest.mark.parametrize("content", ["- a", "{", "!!python/object:os.system {}", ""])
def test_not_a_kubeconfig(tmp_path: Path, content: str) -> None:
    (tmp_path / "config").write_text(content)
    with pytest.raises(UsageError) as caught:
        load_kubeconfig(tmp_path / "config", "one")
    assert caught.value.reason == "kubeconfig_invalid"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_kubeconfig(tmp_path / "absent", "one")
    assert caught.value.reason == "kubeconfig_missing"
