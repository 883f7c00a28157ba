"""What is reported about a Helm that fails or hangs: a real process, and a scripted API server."""

from __future__ import annotations

import base64
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_api import FakeApi, path_of

from localloop.config.project import load_project
from localloop.helm import command as helm
from localloop.plan.model import ComponentPlan, Plan
from localloop.release import charts as releases
from localloop.release.failure import ReleaseFailedError
from localloop.report.journal import Journal
from localloop.session import Session

Object = dict[str, Any]
JOB: Object = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "slow", "namespace": "app", "uid": "uid-slow"},
    "spec": {},
    "status": {"active": 1},
}
POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "slow-x",
        "namespace": "app",
        "uid": "uid-pod",
        "ownerReferences": [{"kind": "Job", "name": "slow", "uid": "uid-slow", "controller": True}],
    },
    "spec": {"containers": [{"name": "main"}]},
    "status": {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "main",
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }
        ],
    },
}
EVENT: Object = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "e", "namespace": "app"},
    "involvedObject": {"kind": "Job", "name": "slow"},
    "type": "Warning",
    "reason": "Odd",
    "message": "a warning",
    "count": 1,
}


def revision(number: int, *hooks: tuple[str, str]) -> Object:
    """Helm's Secret of a revision with these hooks: manifest and phase."""
    content = {
        "manifest": "",
        "hooks": [
            {"manifest": manifest, "events": ["pre-upgrade"], "last_run": {"phase": phase}}
            for manifest, phase in hooks
        ],
    }
    labels = {"name": "web", "owner": "helm", "version": str(number)}
    labels["status"] = "deployed" if number == 1 else "failed"
    inner = base64.b64encode(json.dumps(content).encode())
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"v{number}", "namespace": "app", "labels": labels},
        "data": {"release": base64.b64encode(inner).decode()},
    }


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    monkeypatch.setattr(releases, "HOOK_SECONDS", 0.0)
    monkeypatch.setattr(helm, "GRACE_SECONDS", 0.2)
    with FakeApi() as fake:
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "localloop"}})
        fake.put(revision(1))
        yield fake


def asks(api: FakeApi, *requests: tuple[str, Object], method: str = "POST") -> str:
    """A shell command that sends these to the API server; its failure is none."""
    host, port = api.server.server_address[:2]
    base = f"http://{host!s}:{port}"
    program = f"""
import json, urllib.request
for path, body in json.loads({json.dumps(requests)!r}):
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request({base!r} + path, data, method={method!r}))
"""
    return shlex.join([sys.executable, "-c", program]) + " 2>/dev/null || true"


def makes(api: FakeApi, *objects: Object) -> str:
    """A shell command that stores objects as the cluster would."""
    return asks(api, *((path_of(obj).rpartition("/")[0], obj) for obj in objects))


def unmakes(api: FakeApi, *objects: Object) -> str:
    """A shell command that deletes objects."""
    return asks(api, *((path_of(obj), {}) for obj in objects), method="DELETE")


def fails(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Any:
    """Release by a fake helm: the error, and the events before it."""
    events: list[Object] = []
    with pytest.raises(ReleaseFailedError) as caught:
        release(api, tmp_path, monkeypatch, script, events)
    return caught.value, events


def release(
    api: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    events: list[Object],
) -> Plan:
    binary = tmp_path / "bin" / "helm"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\ncase "$*" in *version*) echo v4.1.4; exit;; esac\n{script}\n')
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:/usr/bin:/bin")
    (tmp_path / "localloop.yml").write_text(
        "version: 1\nproject: demo\nreadiness: {timeout: 4}\n"
        "charts: {web: {path: chart, namespace: app}}\n"
    )
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart/Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    project = load_project(tmp_path, environ={})
    session = SimpleNamespace(
        project=project,
        kube=api.kube(),
        kubeconfig=tmp_path / "kubeconfig",
        context="kind-demo",
        stores=None,
        cluster_name="demo",
        registry_address="127.0.0.1:5000",
        fingerprints=SimpleNamespace(values_of=lambda chart: chart.values),
    )
    part = ComponentPlan("web", "chart", steps=("release",), fingerprint="fp", base_revision=1)
    plan = Plan("demo", str(tmp_path), "", "auto", (), {"verdict": "ok"}, {"web": part})
    journal = Journal("tx-1", tmp_path / "journal", tmp_path / "lock")
    return releases.release_charts(cast("Session", session), plan, journal, events.append)


def test_the_journal_has_a_revision_before_anybody_can_read_of_it(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at that moment, the run's report names it."""
    events: list[Object] = []
    plan = release(api, tmp_path, monkeypatch, makes(api, revision(2)), events)
    assert plan.components["web"].revision == 2
    kinds = [event["event"] for event in events]
    said = [event.get("text") for event in events].index("revision 2")
    assert kinds[:said].count("plan") == 1
    assert events[kinds.index("plan")]["plan"] == plan.as_dict()


def test_a_helm_that_hangs_in_a_hook(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.logs["/api/v1/namespaces/app/pods/slow-x/log"] = "waiting for godot\n"
    made = makes(api, revision(2, (json.dumps(JOB), "Running")), JOB, POD, EVENT)
    error, events = fails(api, tmp_path, monkeypatch, f"{made}; exec sleep 60")
    assert (error.reason, error.component) == ("release_failed:web", "web")
    assert "helm upgrade did not end within 4 s" in error.message
    assert "the pre-upgrade hook Job slow is still running" in error.message
    assert "waiting for godot" in error.message
    assert "kubectl -n app delete job slow" in error.hint
    (seen,) = [event["evidence"] for event in events if event["event"] == "evidence"]
    assert seen[0]["ref"] == "batch/v1/Job/app/slow"
    assert seen[0]["pods"][0]["containers"][0]["logs"]["current"] == ["waiting for godot"]
    assert seen[0]["events"][0]["message"] == "a warning"


def test_a_helm_that_hangs_before_it_does_anything(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, events = fails(api, tmp_path, monkeypatch, "exec sleep 60")
    assert error.reason == "release_failed:web"
    assert "no hook was running" in error.message
    assert not any(event["event"] == "evidence" for event in events)


def test_a_hook_that_fails(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the one that failed is described; what Helm has deleted is named too."""
    failed = {"conditions": [{"type": "Failed", "status": "True", "message": "too often"}]}
    good = {**JOB, "metadata": {"name": "good"}}
    gone = {**JOB, "metadata": {"name": "gone"}}
    hooks = [(json.dumps(good), "Succeeded"), (json.dumps(JOB), "Failed")]
    hooks += [(json.dumps(gone), "Unknown"), (json.dumps({**JOB, "kind": "ConfigMap"}), "Failed")]
    made = makes(api, revision(2, *hooks), {**JOB, "status": failed}, POD)
    script = f"{made}; echo Error: hooks failed >&2; exit 1"
    error, _ = fails(api, tmp_path, monkeypatch, script)
    assert "helm upgrade failed: Error: hooks failed" in error.message
    assert "the pre-upgrade hook Job slow failed (too often)" in error.message
    assert "the pre-upgrade hook Job gone failed, and Helm has deleted it" in error.message
    assert "good" not in error.message
    assert "delete job" not in error.hint


def ended(pod: Object, **state: Object) -> Object:
    """The pod with its container in this state."""
    status = {"name": "main", "restartCount": 0, "state": state}
    return {**pod, "status": {"phase": "Failed", "containerStatuses": [status]}}


@pytest.mark.parametrize(
    "excuse",
    [
        "unable to retrieve container logs for containerd://0",
        'failed to try resolving symlinks in path "/var/log/pods/app_slow-x_1/main/2.log": lstat'
        " /var/log/pods/app_slow-x_1/main/2.log: no such file or directory",
    ],
)
def test_a_hook_whose_pod_is_gone_was_heard(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, excuse: str
) -> None:
    """Its Job's policy deletes it as soon as it has failed."""
    log = "/api/v1/namespaces/app/pods/slow-x/log"
    api.logs[log] = f"{excuse}\nno table users\n"
    failed = ended(POD, terminated={"exitCode": 1, "reason": "Error"})
    lives = f"{makes(api, revision(2, (json.dumps(JOB), 'Failed')), JOB, failed)}; sleep 1.5"
    script = f"{lives}; {unmakes(api, JOB, failed)}; echo Error: hooks failed >&2; exit 1"
    error, events = fails(api, tmp_path, monkeypatch, script)
    assert "the pre-upgrade hook Job slow failed, and Helm has deleted it" in error.message
    assert "pod slow-x, container main" in error.message
    assert "last lines:\n  no table users" in error.message
    assert excuse[:25] not in json.dumps(events) + error.message


def test_a_long_error_is_cut_and_whole_in_the_report(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["Error: schema", *(f"- at '/a{number}': {'x' * 900}" for number in range(60))]
    (tmp_path / "said").write_text("\n".join(lines))
    error, events = fails(api, tmp_path, monkeypatch, f"cat {tmp_path}/said >&2; exit 1")
    assert len(error.message) < 3000
    assert error.message.startswith("helm upgrade failed: Error: schema\n  - at '/a0': xxx")
    assert error.message.endswith("(the rest is in the report)")
    (seen,) = [event["lines"] for event in events if event["event"] == "helm_output"]
    assert seen == lines


@pytest.mark.parametrize("words", ["must have at most", "may not be more than"])
def test_a_release_that_is_too_large(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """In the words of older and of current API servers."""
    said = f"Error: Secret is invalid: data: Too long: {words} 1048576 bytes"
    error, _ = fails(api, tmp_path, monkeypatch, f"echo '{said}' >&2; exit 1")
    assert ".helmignore" in str(error.hint)


def test_a_cluster_that_answers_no_more(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"{asks(api, ('/down', {}))}; echo Error: connection refused >&2; exit 1"
    error, _ = fails(api, tmp_path, monkeypatch, script)
    assert error.message == "helm upgrade failed: Error: connection refused"
