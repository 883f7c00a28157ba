"""Helm: the argv as it is started, and releases as Helm keeps them in Secrets."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_store import FakeStore

from localloop.errors import LocalloopError
from localloop.helm import command as helm
from localloop.helm.command import Helm, HelmHungError, apply_flags, chart_flags, upgrade_argv
from localloop.helm.releases import Release, decode_secret, mark_failed, releases, stored
from localloop.kube.client import ApiError

SECRETS = "/api/v1/namespaces/app/secrets"
MANIFEST = "---\n# Source: hello/templates/web.yaml\nkind: Service\n"


@pytest.fixture
def api() -> Iterator[FakeStore]:
    with FakeStore() as fake:
        fake.namespace("app")
        yield fake


def helm_secret(
    name: str, revision: int, status: str, *, packed: bool = True, **labels: str
) -> dict[str, Any]:
    """A release's Secret as Helm 3 and 4 write it (``packed``: as every Helm since 2.x does)."""
    content = {
        "name": name,
        "info": {"status": status, "description": "Upgrade complete"},
        "manifest": MANIFEST,
        "version": revision,
        "namespace": "app",
    }
    plain = json.dumps(content).encode()
    inner = base64.b64encode(gzip.compress(plain, mtime=0) if packed else plain)
    own = {"modifiedAt": "1767225600", "name": name, "owner": "helm", "status": status}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "namespace": "app",
            "labels": {**own, "version": str(revision), **labels},
        },
        "data": {"release": base64.b64encode(inner).decode()},
    }


def put(api: FakeStore, secret: dict[str, Any]) -> dict[str, Any]:
    return api.put(f"{SECRETS}/{secret['metadata']['name']}", secret)


def test_newest_revision_of_each_release(api: FakeStore) -> None:
    for revision, status in ((2, "superseded"), (10, "deployed"), (9, "superseded")):
        newest = put(api, helm_secret("web", revision, status, **{"localloop-project": "hello"}))
        if revision == 10:
            ten = newest
    put(api, helm_secret("db", 1, "pending-install"))
    found = releases(api.kube(), "app", ["web", "db", "absent"])
    assert sorted(found) == ["db", "web"]
    assert found["web"] == Release(
        name="web",
        namespace="app",
        revision=10,
        status="deployed",
        labels=ten["metadata"]["labels"],
        secret="sh.helm.release.v1.web.v10",
        uid=ten["metadata"]["uid"],
        resource_version=ten["metadata"]["resourceVersion"],
    )
    assert found["db"].status == "pending-install"
    # One list, of metadata only.
    assert api.requests == [("GET", SECRETS)]
    assert api.queries == [{"labelSelector": ["owner=helm,name in (absent,db,web)"]}]
    assert "PartialObjectMetadataList" in api.accepted[0]


@pytest.mark.parametrize("packed", [True, False])
def test_stored_manifest(api: FakeStore, packed: bool) -> None:
    put(api, helm_secret("web", 3, "deployed", packed=packed))
    kube = api.kube()
    found = stored(kube, releases(kube, "app", ["web"])["web"])
    assert found.manifest == MANIFEST
    assert found.sha256 == hashlib.sha256(MANIFEST.encode()).hexdigest()


def test_revision_that_is_gone(api: FakeStore) -> None:
    with pytest.raises(LocalloopError, match="revision 3 of release web is gone") as caught:
        stored(api.kube(), Release("web", "app", 3, "deployed", secret="sh.helm.release.v1.web.v3"))
    assert caught.value.reason == "release_gone"


def test_mark_failed(api: FakeStore) -> None:
    put(api, helm_secret("web", 4, "pending-upgrade", **{"localloop-project": "hello"}))
    kube = api.kube()
    mark_failed(kube, releases(kube, "app", ["web"])["web"])
    after = releases(kube, "app", ["web"])["web"]
    assert (after.revision, after.status) == (4, "failed")
    assert after.labels["localloop-project"] == "hello"
    secret = api.objects[f"{SECRETS}/sh.helm.release.v1.web.v4"]
    assert secret["type"] == "helm.sh/release.v1"
    content = decode_secret(secret)
    assert content["info"]["status"] == "failed"
    assert content["manifest"] == MANIFEST
    # Packed as Helm packs it: base64 of gzip, in the base64 of every Secret.
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]), validate=True)
    assert packed[:3] == b"\x1f\x8b\x08"


def test_mark_failed_loses_to_whoever_wrote_meanwhile(
    api: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(api, helm_secret("web", 4, "pending-upgrade"))
    kube = api.kube()
    read = kube.read

    def read_then_overtaken(*args: Any, **kwargs: Any) -> Any:
        found = read(*args, **kwargs)
        put(api, helm_secret("web", 4, "deployed"))
        return found

    monkeypatch.setattr(kube, "read", read_then_overtaken)
    with pytest.raises(ApiError) as caught:
        mark_failed(kube, Release("web", "app", 4, "", secret="sh.helm.release.v1.web.v4"))
    assert caught.value.status == 409
    assert releases(kube, "app", ["web"])["web"].status == "deployed"


DAMAGED = gzip.compress(b"x" * 1000, mtime=0)


@pytest.mark.parametrize(
    "inner",
    [
        b"not base64!",
        base64.b64encode(b"no json"),
        base64.b64encode(DAMAGED[:-9]),
        base64.b64encode(DAMAGED[:12] + b"\xff\xff" + DAMAGED[14:]),
        base64.b64encode(b"\x1f\x8b"),
        b"",
    ],
)
def test_damaged_secret_is_named(inner: bytes) -> None:
    secret = {"metadata": {"name": "s"}, "data": {"release": base64.b64encode(inner).decode()}}
    with pytest.raises(LocalloopError, match="Helm's Secret s cannot be read") as caught:
        decode_secret(secret)
    assert caught.value.reason == "release_undecodable"


def test_secret_without_a_release() -> None:
    with pytest.raises(LocalloopError):
        decode_secret({"metadata": {"name": "s"}, "data": {}})


# -- argv -----------------------------------------------------------------------------------------


def test_upgrade_argv() -> None:
    assert upgrade_argv(
        "/usr/bin/helm",
        "web",
        Path("/project/chart"),
        namespace="app",
        values_files=[Path("/project/values.yaml"), Path("/project/local.yaml")],
        labels={"localloop-transaction": "tx-1", "localloop-project": "hello"},
        apply_flags=("--server-side=true", "--force-conflicts"),
        timeout=90.0,
    ) == [
        "/usr/bin/helm",
        "upgrade",
        "--install",
        "--namespace",
        "app",
        "--history-max",
        "10",
        "--timeout=90s",
        "--labels",
        "localloop-project=hello,localloop-transaction=tx-1",
        "--values",
        "/project/values.yaml",
        "--values",
        "/project/local.yaml",
        "--values",
        "-",
        "--server-side=true",
        "--force-conflicts",
        "--",
        "web",
        "/project/chart",
    ]


@pytest.mark.parametrize(
    "hostile", ["--post-renderer=./x", "-n", "$(touch p)", "a;touch p", "5m --set a=b", "{{ x }}"]
)
def test_hostile_names_are_arguments_after_the_dashes(hostile: str) -> None:
    argv = upgrade_argv(
        "helm",
        hostile,
        Path("/project") / hostile,
        namespace="app",
        values_files=[],
        labels={},
        apply_flags=(),
        timeout=60,
    )
    assert argv[argv.index("--") :] == ["--", hostile, f"/project/{hostile}"]
    assert hostile not in argv[: argv.index("--")]


@pytest.mark.parametrize(
    ("helm", "wanted"),
    [
        (3, ()),
        (4, ("--server-side=true", "--force-conflicts")),
        (5, ("--server-side=true", "--force-conflicts")),
    ],
)
def test_apply_flags(helm: int, wanted: tuple[str, ...]) -> None:
    assert apply_flags(helm) == wanted


@pytest.mark.parametrize(
    ("chart", "repo", "flags"),
    [
        ("oci://charts.example/web", "", ("--version=1.2.3",)),
        ("oci://127.0.0.1:5000/charts/web", "", ("--version=1.2.3", "--plain-http")),
        ("oci://localhost/charts/web", "", ("--version=1.2.3", "--plain-http")),
        ("oci://127.0.0.1.example/web", "", ("--version=1.2.3",)),
        ("web", "https://c.example", ("--version=1.2.3", "--repo=https://c.example")),
    ],
)
def test_chart_flags(chart: str, repo: str, flags: tuple[str, ...]) -> None:
    assert chart_flags(chart, repo, "1.2.3") == flags
    argv = upgrade_argv(
        "helm",
        "web",
        chart,
        namespace="app",
        values_files=[],
        chart_flags=flags,
        labels={},
        apply_flags=(),
        timeout=60,
    )
    assert argv[-3 - len(flags) :] == [*flags, "--", "web", chart]


@pytest.mark.parametrize(
    ("path", "argument"),
    [
        ("/p/a,b.yaml", '"/p/a,b.yaml"'),
        ('/p/a".yaml', '"/p/a"".yaml"'),
        ("/p/a b.yaml", "/p/a b.yaml"),
        ("/p/{{x}}$(id).yaml", "/p/{{x}}$(id).yaml"),
    ],
)
def test_values_file_is_one_field_of_csv(path: str, argument: str) -> None:
    argv = upgrade_argv(
        "helm",
        "web",
        Path("/c"),
        namespace="app",
        values_files=[Path(path)],
        labels={},
        apply_flags=(),
        timeout=60,
    )
    assert argv[argv.index("--values") + 1] == argument


@pytest.mark.skipif(
    shutil.which("helm") is None, reason="helm is not installed: `make tools` brings it"
)
def test_helm_reads_that_field_as_one_path(tmp_path: Path) -> None:
    values = tmp_path / 'a,b".yaml'
    values.write_text("x: seven\n")
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 0.1.0\n")
    (tmp_path / "templates" / "c.yaml").write_text("x: {{ .Values.x }}\n")
    argv = upgrade_argv(
        "helm",
        "r",
        tmp_path,
        namespace="app",
        values_files=[values],
        labels={},
        apply_flags=(),
        timeout=60,
    )
    field = argv[argv.index("--values") + 1]
    done = subprocess.run(
        ["helm", "template", "--values", field, "--", "r", str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "x: seven" in done.stdout


FAKE_HELM = """#!/bin/sh
# A fake helm: tells what it was given.
for argument in "$@"; do echo "arg $argument"; done
echo "driver=$HELM_DRIVER namespace=$HELM_NAMESPACE home=$HOME"
cat
"""


@pytest.fixture
def fake_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "bin" / "helm"
    found.parent.mkdir()
    found.write_text(FAKE_HELM)
    found.chmod(0o755)
    monkeypatch.setenv("PATH", f"{found.parent}:/usr/bin:/bin")
    monkeypatch.setenv("HELM_DRIVER", "memory")
    monkeypatch.setenv("HELM_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HOME", "/home/me")
    return found


def test_upgrade_hands_values_over_by_stdin_only(fake_helm: Path) -> None:
    done = Helm(Path("/state/kubeconfig"), "kind-hello").upgrade(
        "web",
        Path("/project/chart"),
        namespace="app",
        values={"password": "s3cret", "number": "1234e56"},
        values_files=[],
        labels={"localloop-project": "hello"},
        apply_flags=(),
        timeout=10,
    )
    lines = done.stdout.splitlines()
    assert done.argv[:7] == (
        str(fake_helm),
        "--kubeconfig",
        "/state/kubeconfig",
        "--kube-context",
        "kind-hello",
        "upgrade",
        "--install",
    )
    assert "s3cret" not in "".join(done.argv)
    assert json.loads(lines[-1]) == {"password": "s3cret", "number": "1234e56"}
    assert lines[-2] == "driver= namespace= home=/home/me"


def test_uninstall(fake_helm: Path) -> None:
    done = Helm(Path("/k"), "c").uninstall("web", namespace="app", timeout=10)
    assert done.argv[1:] == (
        "--kubeconfig",
        "/k",
        "--kube-context",
        "c",
        "uninstall",
        "--namespace",
        "app",
        "--ignore-not-found",
        "--timeout=10s",
        "--",
        "web",
    )


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v3.18.4", (3, 18, 4)),
        ("v4.0.0-beta.1", (4, 0, 0)),
        ("v4.1.4+g05fa379", (4, 1, 4)),
        ("3.10.0", (3, 10, 0)),
    ],
)
def test_version(fake_helm: Path, said: str, version: tuple[int, int, int]) -> None:
    fake_helm.write_text(f"#!/bin/sh\nprintf {said}\n")
    assert Helm(Path("/k"), "c").version() == version


def test_version_of_something_else(fake_helm: Path) -> None:
    fake_helm.write_text("#!/bin/sh\necho unknown command >&2\nexit 1\n")
    with pytest.raises(LocalloopError, match="`helm version`: unknown command"):
        Helm(Path("/k"), "c").version()
    fake_helm.write_text("#!/bin/sh\necho canary\n")
    with pytest.raises(LocalloopError, match="`helm version`"):
        Helm(Path("/k"), "c").version()


def test_helm_gets_its_own_deadline_before_ours(
    fake_helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helm, "GRACE_SECONDS", 0.1)
    runner = Helm(Path("/k"), "c")
    done = runner.rollback("web", 3, namespace="app", apply_flags=(), timeout=7.5)
    assert done.argv[5:] == (
        "rollback",
        "--namespace",
        "app",
        "--history-max",
        "10",
        "--timeout=8s",
        "--",
        "web",
        "3",
    )
    fake_helm.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(HelmHungError, match=r"did not end within 0\.3 s"):
        runner.rollback("web", 3, namespace="app", apply_flags=(), timeout=0.2)


def test_identity_changes_with_the_binary(fake_helm: Path) -> None:
    before = Helm(Path("/k"), "c").identity()
    assert before == Helm(Path("/other"), "x").identity()
    fake_helm.write_text(FAKE_HELM + "# newer\n")
    assert Helm(Path("/k"), "c").identity() != before


def test_helm_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalloopError, match=r"helm is not on PATH\n  Install Helm 3\.18\.4"):
        Helm(Path("/k"), "c")
