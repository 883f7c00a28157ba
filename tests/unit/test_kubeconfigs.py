"""Kubeconfigs that people have, each with its outcome (fixtures/kubeconfigs.yaml).

The server is a decoy that notes what reaches it; it is at every address, so that a refusal that
asks a single time is seen.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from decoy import Authority, Decoy, Proxy

from localloop.cluster.frozen import freeze
from localloop.cluster.identity import cluster_uid
from localloop.config.model import ClusterConfig
from localloop.errors import LocalloopError, UsageError
from localloop.kube import exec_plugin
from localloop.kube.client import Kube
from localloop.kube.kubeconfig import load_kubeconfig
from localloop.system.locks import Lock, lock_path

FIXTURES = yaml.safe_load((Path(__file__).parent / "fixtures/kubeconfigs.yaml").read_text())
CASES: dict[str, dict[str, Any]] = FIXTURES["cases"]
PRINT = """#!/bin/sh
kind=$1 token=$2 until= version=client.authentication.k8s.io/v1
case $KUBERNETES_EXEC_INFO in *v1beta1*) version=${version}beta1;; esac
case $kind in
old) until=', "expirationTimestamp": "2020-01-01T00:00:00Z"';;
never) until=', "expirationTimestamp": "never"';;
v2) version=v2;;
esac
what="\\"token\\": \\"$token\\"$until"
if [ "$kind" = certificate ]; then what=$(cat certificate.json); fi
type="\\"apiVersion\\": \\"$version\\", \\"kind\\": \\"ExecCredential\\""
printf '%s\\n' "{$type, \\"status\\": {$what}}"
"""


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
    known = {"use", "cluster", "user", "files", "read", "reads", "allow", "sends", "between"}
    known |= {"then_refuse", "refused", "fails", "says", "secret", "seconds", "decoy", "inside"}
    known |= {"kubectl", "plugin", "asked", "environ", "users_environ"}
    assert {key for case in CASES.values() for key in case} <= known


@dataclass
class Lab:
    """A folder with the case's files, the decoy, the proxies, and the values of ``${…}``."""

    folder: Path
    decoy: Decoy
    values: dict[str, str]
    proxies: list[Proxy] = field(default_factory=list)

    def filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\$\{([A-Z_]+)\}", lambda found: self.values[found[1]], value)
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        return [self.filled(item) for item in value] if isinstance(value, list) else value

    def write(self, files: dict[str, Any]) -> None:
        for name, content in self.filled(files).items():
            path = self.folder / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else yaml.safe_dump(content)
            path.write_text(text)
            if name.startswith("bin/"):
                path.write_text(f"#!/bin/sh\ncd '{self.folder}'\n{text}\n")
                path.chmod(0o755)


@pytest.fixture(scope="module")
def pki() -> dict[str, Any]:
    authority = Authority("decoy CA")
    made: dict[str, Any] = {"CA": authority.pem, "OTHER_CA": Authority("other CA").pem}
    made["CERT"], made["KEY"] = authority.issue("dev")
    made["OLD_CERT"], made["OLD_KEY"] = authority.issue("old", days=-1)
    made["LOCKED_CERT"], made["LOCKED_KEY"] = authority.issue("dev", password=b"hunter2")
    return made | {"authority": authority}


@pytest.fixture
def lab(
    tmp_path: Path,
    pki: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Lab]:
    late = CASES[request.node.callspec.params["name"]].get("decoy") == "late"
    with ExitStack() as stack:
        decoy = stack.enter_context(Decoy(pki["authority"], days=-1 if late else 1))
        proxies = [
            stack.enter_context(each)
            for each in (
                Proxy("http", decoy.port),
                Proxy("socks5", decoy.port),
                Proxy("http", decoy.port, answer="503 Service Unavailable"),
            )
        ]
        decoy.everywhere(monkeypatch, *(each.port for each in proxies))
        folder = tmp_path / "a home"
        folder.mkdir()
        values = {"URL": decoy.url, "PORT": str(decoy.port), "PRINT": "./print"}
        values |= dict(
            zip(("HTTP", "SOCKS", "BROKEN"), (str(each.port) for each in proxies), strict=True)
        )
        for name, pem in pki.items():
            if isinstance(pem, bytes):
                values[name] = base64.b64encode(pem).decode()
                values[f"{name}_PEM"] = pem.decode()
        made = Lab(folder, decoy, values, proxies)
        (folder / "print").write_text(PRINT)
        (folder / "print").chmod(0o755)
        escaped = {key: pki[key].decode().replace("\n", "\\n") for key in ("CERT", "KEY")}
        (folder / "certificate.json").write_text(
            f'"clientCertificateData": "{escaped["CERT"]}", "clientKeyData": "{escaped["KEY"]}"'
        )
        yield made


def _config(case: dict[str, Any]) -> dict[str, Any]:
    """The case's only file, with its one context."""
    cluster = FIXTURES["defaults"]["cluster"] | case.get("cluster", {})
    user = (FIXTURES["defaults"]["user"] if "plugin" not in case else {}) | case.get("user", {})
    if "plugin" in case:
        version = "client.authentication.k8s.io/v1"
        mode = "IfAvailable"
        user["exec"] = {"apiVersion": version, "interactiveMode": mode} | case["plugin"]
    name = case.get("use", "dev")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }


@pytest.mark.parametrize("name", CASES)
def test_kubeconfig(name: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    monkeypatch.setattr(exec_plugin, "TIMEOUT_SECONDS", 1.0)
    monkeypatch.setenv("PATH", f"{lab.folder}/bin:{os.environ['PATH']}")
    for variable, value in lab.filled(case.get("environ", {})).items():
        monkeypatch.setenv(variable, value)
    if case.get("inside"):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(lab.decoy.port))
    files = case.get("files", {})
    own = {} if "config" in files or "read" in case else {"config": _config(case)}
    lab.write({**own, **files})
    error, started = None, time.monotonic()
    sent: list[list[str]] = []
    try:
        _run(case, lab, sent)
    except LocalloopError as found:
        error = found
    assert time.monotonic() - started < case.get("seconds", 5)

    said = lab.filled(case.get("says", []))
    told = f"{error} {error.as_dict() if error else ''}"
    assert not [text for text in said if text not in str(error)], told
    assert "secret" not in case or case["secret"] not in told
    if "refused" in case:
        assert isinstance(error, UsageError), error
        assert error.reason == case["refused"], error
        assert lab.decoy.connections == 0
        if error.reason in ("cluster_not_local", "exec_not_allowed"):
            assert not (lab.folder / "started").exists()
    else:
        assert (error.reason if error else None) == case.get("fails"), error
        assert sent == case["sends"]
    assert not (lab.folder / "p").exists()
    asked = list(dict.fromkeys(each for proxy in lab.proxies for each in proxy.asked))
    assert asked == case.get("asked", [])


def _run(case: dict[str, Any], lab: Lab, sent: list[list[str]]) -> None:
    """The rounds of a case as a run does them: each from the frozen copy."""
    allow = lab.filled(case.get("allow", {}))
    plugin = case.get("plugin", {}).get("command")
    allowed_exec = allow.get("exec", [plugin] if plugin and "allow" not in case else [])
    if case.get("refused") == "exec_not_allowed":
        allowed_exec = ["login", f"{plugin} "]
    wanted = ClusterConfig(
        name="demo",
        allow_server=tuple(allow.get("server", ())),
        allow_exec=tuple(allowed_exec),
    )
    paths = [lab.folder / each for each in case.get("read", ["config"])]
    use = case.get("use", "dev")
    config = load_kubeconfig(paths, case.get("reads", use))
    environ = {**os.environ, **case.get("users_environ", {})}
    with held_lock() as lock:
        copy = freeze(config, wanted, environ, lock)
        kube = Kube(load_kubeconfig(copy, use), timeout=3)
        for number in range(2 if "between" in case else 1):
            if number:
                lab.write(case["between"])
                lab.decoy.refused |= set(case.get("then_refuse", ()))
                if "plugin" not in case and "then_refuse" not in case:  # another step
                    kube = Kube(load_kubeconfig(copy, use), timeout=3)
            sent.append([])
            before = len(lab.decoy.requests)
            try:
                assert cluster_uid(kube) == lab.decoy.uid
            finally:
                head = "GET /api/v1/namespaces/kube-system as "
                new = lab.decoy.requests[before:]
                assert all(each.startswith(head) for each in new)
                sent[-1] += [each.removeprefix(head) for each in new]


@contextmanager
def held_lock() -> Iterator[Path]:
    lock = Lock(lock_path("project", "existing/dev", "demo"))
    lock.acquire({}, exclusive=True)
    try:
        yield lock.path
    finally:
        lock.release()


def _compared_with_kubectl(case: dict[str, Any]) -> bool:
    """Whether kubectl can ask the decoy as well: it is on loopback only, and never late."""
    changes = {"kubectl", "between", "allow", "environ", "decoy", "refused", "fails"}
    return not changes & set(case) and "https://0.0.0.0" not in str(case)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if _compared_with_kubectl(case)]
)
def test_kubectl_asks_the_same_server_as_the_same_user(
    name: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the files themselves, and with the frozen copy in the environment of a playbook."""
    case = CASES[name]
    monkeypatch.setenv("PATH", f"{lab.folder}/bin:{os.environ['PATH']}")
    files = case.get("files", {})
    own = {} if "config" in files or "read" in case else {"config": _config(case)}
    lab.write({**own, **files})
    paths = [lab.folder / each for each in case.get("read", ["config"])]
    use = case.get("use", "dev")
    plugin = case.get("plugin", {}).get("command", "")
    wanted = ClusterConfig(name="demo", allow_exec=(plugin,))
    users = {**os.environ, **case.get("users_environ", {})}
    usual = {"HOME": str(lab.folder), "KUBERNETES_SERVICE_HOST": "127.0.0.1"}
    with held_lock() as lock:
        copy = freeze(load_kubeconfig(paths, use), wanted, users, lock)
        for environ, flags in (
            ({**users, "KUBECONFIG": ":".join(map(str, paths))}, []),
            ({**usual, "PATH": os.defpath}, ["--kubeconfig", str(copy)]),
        ):
            argv = ["kubectl", *flags, "--context", use, "get", "--raw", "/version"]
            found = shutil.which("kubectl")
            lab.decoy.requests.clear()
            subprocess.run([str(found), *argv[1:]], env=environ, check=True, capture_output=True)
            (who,) = case["sends"]
            assert lab.decoy.requests == [f"GET /version as {each}" for each in who]
