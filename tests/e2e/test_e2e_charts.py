"""Charts of every origin in one project: what is released, in which order, and what is kept."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.outside import Cluster, output
from harness.project import Project

pytestmark = pytest.mark.cluster

CONFIG = """\
version: 1
project: e2e-charts
profiles:
  small: {{}}
  large: {{values: {{hello: {{replicas: 2, nested: {{size: large}}}}}}}}
default_profile: small
images:
  web: {{dockerfile: Dockerfile}}
charts:
  raw:
    manifests: [manifests, single.yaml]
    namespace: e2e-charts
    needs: [hello]
  hello:
    path: chart
    namespace: e2e-charts
    values_files: [values/local.yaml]
    values:
      image: $web.ref
      listed: [first, "$web.repository:$web.tag"]
      nested: {{size: small, colour: blue}}
      numbers: {{a: 1234e56, b: 00215e6, c: 0o17, d: "1.10", e: 2024-01-02, f: 12:30}}
      sub: {{image: $web.ref}}
      host: unset
    keep_values: [host]
    generate: [handshake.secret]
  overlay:
    kustomize: deploy/overlay
    images: [web]
    namespace: e2e-charts
  packaged:
    chart: oci://{registry}/charts/extra
    version: 1.2.3
    namespace: e2e-charts
    values: {{word: from-oci}}
  listed:
    chart: extra
    repo: {repository}
    version: 1.2.3
    namespace: e2e-charts
    values: {{word: from-a-repository}}
readiness: {{timeout: 40}}
"""
SETTINGS = """\
apiVersion: v1
kind: Secret
metadata: {name: handshake}
stringData: {secret: {{ .Values.handshake.secret | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  listed: {{ index .Values.listed 1 | quote }}
  nested: "{{ .Values.nested.size }} {{ .Values.nested.colour }} {{ .Values.fromFile }}"
  host: {{ .Values.host | quote }}
  {{- range $key, $value := .Values.numbers }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: %s}
data: {word: %s}
"""
POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}, annotations: {literal: "{{ .Values.none }}"}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: web, readinessProbe: {tcpSocket: {port: 8080}}}]
"""
SUB = "chart/charts/sub/templates/sub.yaml"
LOCK = "dependencies: []\ndigest: sha256:1\ngenerated: 2026-01-02T03:04:05Z\n"
CHARTS = ("hello", "raw", "overlay", "packaged", "listed")


class Repository:
    """A chart repository as ``helm repo index`` makes it, over HTTP."""

    def __init__(self, directory: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(directory))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The deployed project; its charts come from five kinds of sources."""
    base = tmp_path_factory.mktemp("charts")
    project = Project(base / "project", "e2e-charts", cluster)
    registry = cluster.registry_url().removeprefix("http://")
    served = _extra_chart(base, registry)
    project.write("localloop.yml", CONFIG.format(registry=registry, repository=served.url))
    for folder in (
        "values",
        "manifests",
        "deploy/base",
        "deploy/overlay",
        "chart/charts/sub/templates",
    ):
        (project.root / folder).mkdir(parents=True)
    project.write("values/local.yaml", "fromFile: one\nnested: {colour: red}\n")
    project.write("chart/templates/settings.yaml", SETTINGS)
    project.write("chart/charts/sub/Chart.yaml", "{apiVersion: v2, name: sub, version: 0.1.0}\n")
    project.write(
        "chart/charts/sub/templates/sub.yaml", CONFIG_MAP % ("sub", "{{ .Values.image }}")
    )
    project.write("manifests/pod.yaml", POD % (("raw",) * 3))
    project.write("single.yaml", CONFIG_MAP % ("single", '"0123"'))
    project.write("deploy/base/pod.yaml", POD % (("based",) * 3))
    project.write("deploy/base/kustomization.yaml", "resources: [pod.yaml]\n")
    project.write("deploy/overlay/kustomization.yaml", "resources: [../base]\nnamePrefix: over-\n")
    yield project
    project.end_runs()
    project.localloop("down", code=None)
    served.server.shutdown()


def _extra_chart(base: Path, registry: str) -> Repository:
    """The chart ``extra`` 1.2.3, packaged, in a repository and in the cluster's own registry."""
    (base / "extra/templates").mkdir(parents=True)
    about = "{apiVersion: v2, name: extra, version: 1.2.3}\n"
    (base / "extra/Chart.yaml").write_text(about)
    template = CONFIG_MAP % ("{{ .Release.Name }}", "{{ .Values.word }}")
    (base / "extra/templates/map.yaml").write_text(template)
    (base / "served").mkdir()
    output(["helm", "package", str(base / "extra"), "-d", str(base / "served")])
    served = Repository(base / "served")
    output(["helm", "repo", "index", str(base / "served"), "--url", served.url])
    package = str(base / "served/extra-1.2.3.tgz")
    output(["helm", "push", "--plain-http", package, f"oci://{registry}/charts"])
    return served


def data_of(project: Project, name: str, kind: str = "configmap") -> dict[str, str]:
    found: dict[str, str] = project.cluster.get("-n", project.name, kind, name)["data"]
    return found


def revisions(project: Project) -> dict[str, int]:
    releases = json.loads(project.cluster.helm("-n", project.name, "list", "-o", "json"))
    return {found["name"]: int(found["revision"]) for found in releases}


def image_of(project: Project, deployment: str) -> str:
    found = project.cluster.get("-n", project.name, "deployment", deployment)
    text: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return text


def test_charts_are_released_after_those_that_they_need(shared: Project) -> None:
    run = shared.deploy()
    assert revisions(shared) == dict.fromkeys(CHARTS, 1)
    assert run.text.index("hello: helm upgrade") < run.text.index("raw: needs hello")
    assert run.text.index("Deployment hello: ready 1/1") < run.text.index("raw: helm upgrade")
    ref = shared.outside.see().image
    assert "@sha256:" in ref
    assert image_of(shared, "raw") == image_of(shared, "over-based") == ref
    assert data_of(shared, "packaged") == {"word": "from-oci"}
    assert data_of(shared, "listed") == {"word": "from-a-repository"}
    assert data_of(shared, "single") == {"word": "0123"}
    annotations = shared.cluster.get("-n", shared.name, "deployment", "raw")["spec"]["template"]
    assert annotations["metadata"]["annotations"] == {"literal": "{{ .Values.none }}"}


def test_values_arrive_as_written(shared: Project) -> None:
    found, ref = data_of(shared, "settings"), shared.outside.see().image
    numbers = {"a": "1234e56", "b": "00215e6", "c": "0o17", "d": "1.10", "e": "2024-01-02"}
    assert {key: found[key] for key in numbers} == numbers
    assert found["f"] == "12:30"
    assert found["nested"] == "small blue one"
    repository, digest = ref.split("@")
    tag = found["listed"].removeprefix(f"{repository}:")
    assert shared.outside.digest_of(tag) == digest
    assert data_of(shared, "sub") == {"word": ref}


def test_five_unchanged_runs_leave_one_revision(shared: Project) -> None:
    before = revisions(shared)
    for _ in range(5):
        assert shared.deploy().report["outcome"] == "unchanged"
    assert revisions(shared) == before == dict.fromkeys(CHARTS, 1)


@pytest.mark.parametrize(
    ("path", "text", "chart"),
    [
        ("chart/templates/added.yaml", CONFIG_MAP % ("added", "one"), "hello"),
        (SUB, CONFIG_MAP % ("sub", "edited"), "hello"),
        ("chart/Chart.lock", LOCK, "hello"),
        ("values/local.yaml", "fromFile: two\n", "hello"),
        ("manifests/pod.yaml", POD % (("raw",) * 3) + "# edited", "raw"),
        ("single.yaml", CONFIG_MAP % ("single", "edited"), "raw"),
        (
            "deploy/base/pod.yaml",
            POD % (("based",) * 3) + "# edited",
            "overlay",
        ),
    ],
    ids=["template", "subchart", "lock", "values-file", "manifest", "single", "base"],
)
def test_an_edit_is_released(shared: Project, path: str, text: str, chart: str) -> None:
    """Whatever the chart's version says."""
    before = revisions(shared)
    shared.write(path, text)
    run = shared.deploy()
    assert "chart_changed" in run.reasons(chart)
    assert revisions(shared) == {**before, chart: before[chart] + 1}


def test_secret_and_address_are_kept_over_upgrades(shared: Project) -> None:
    secret = data_of(shared, "handshake", "secret")["secret"]
    assert len(base64.b64decode(secret)) == 32
    chart = str(shared.root / "chart")
    words = ("upgrade", "hello", chart, "--reuse-values", "--set", "host=10.1.2.3")
    shared.cluster.helm("-n", shared.name, *words)
    shared.set_page("localloop keeps")
    shared.deploy()
    assert data_of(shared, "settings")["host"] == "10.1.2.3"
    assert data_of(shared, "handshake", "secret")["secret"] == secret
    assert shared.deploy().report["outcome"] == "unchanged"
    # Helm's output may contain it, so it is masked; it exists only in the cluster.
    plain = base64.b64decode(secret).decode()
    leak = '{{ fail (printf "it is %s!" .Values.handshake.secret) }}\n'
    shared.write("chart/templates/leak.yaml", leak)
    run = shared.deploy(code=1)
    assert "it is ***!" in run.text
    assert plain not in run.text
    (shared.root / "chart/templates/leak.yaml").unlink()
    shared.deploy()
    assert data_of(shared, "handshake", "secret")["secret"] == secret
    search = ["grep", "-rlF", plain, str(shared.root), str(shared.cluster.state)]
    assert subprocess.run(search, capture_output=True, check=False).stdout == b""


def test_a_changed_image_rolls_every_chart_that_runs_it(shared: Project) -> None:
    before = revisions(shared)
    shared.set_page("localloop, for all of them")
    shared.deploy("web")
    ref, after = shared.outside.see().image, revisions(shared)
    assert image_of(shared, "raw") == image_of(shared, "over-based") == ref
    assert {name for name in CHARTS if after[name] > before[name]} == {"hello", "raw", "overlay"}


def test_values_of_a_profile(shared: Project) -> None:
    shared.deploy("--profile", "large")
    assert shared.outside.deployment()["spec"]["replicas"] == 2
    assert data_of(shared, "settings")["nested"] == "large blue two"
    shared.deploy("--profile", "small")
    assert shared.outside.deployment()["spec"]["replicas"] == 1


def test_a_chart_that_needs_a_failed_one_is_not_released(shared: Project) -> None:
    before = revisions(shared)
    shared.edit("localloop.yml", "timeout: 40", "timeout: 5")
    shared.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    shared.write("single.yaml", CONFIG_MAP % ("single", "never-released"))
    run = shared.deploy(code=1)
    assert run.report["error"]["component"] == "hello"
    assert run.report["readiness"]["readiness_gate_status"] == "failed"
    assert revisions(shared)["raw"] == before["raw"]
    shared.edit("localloop.yml", "timeout: 5", "timeout: 40")
    shared.edit("chart/templates/deployment.yaml", "path: /no-such-page,", "path: /,")
    shared.deploy()
    assert data_of(shared, "single") == {"word": "never-released"}


def test_hooks(shared: Project) -> None:
    shared.append(
        "localloop.yml",
        """
hooks:
  before_deploy:
    - command: [sh, -c, "echo before; helm -n e2e-charts list -q | wc -l; env > before.txt"]
  after_deploy:
    - command: [sh, -c, "kubectl -n e2e-charts get deployment hello -o name"]
      timeout: 20
""",
    )
    assert shared.deploy().report["outcome"] == "unchanged"  # around a deploy only
    assert not (shared.root / "before.txt").exists()
    shared.write("single.yaml", CONFIG_MAP % ("single", "hooked"))
    run = shared.deploy()
    before, after = run.report["hooks"]
    assert (before["when"], before["code"], before["lines"]) == (
        "before_deploy",
        0,
        ["before", "5"],
    )
    assert (after["when"], after["code"]) == ("after_deploy", 0)
    assert after["lines"] == ["deployment.apps/hello"]
    assert "## Hooks" in run.markdown
    assert "LOCALLOOP_" not in shared.read("before.txt")
    # A hook that fails before the deploy: nothing is released. After it: the deploy is recorded.
    revision = revisions(shared)["raw"]
    shared.edit("localloop.yml", "echo before;", "echo no-luck; exit 3;")
    shared.write("single.yaml", CONFIG_MAP % ("single", "not-hooked"))
    run = shared.deploy(code=1)
    assert run.report["error"]["reason"] == "deploy_hook_failed:before_deploy"
    assert "no-luck" in run.text
    assert revisions(shared)["raw"] == revision
    shared.edit("localloop.yml", "echo no-luck; exit 3;", "echo before;")
    shared.edit("localloop.yml", "kubectl -n", "sleep 60; kubectl -n")
    shared.edit("localloop.yml", "timeout: 20", "timeout: 1")
    run = shared.deploy(code=1)
    assert run.report["error"]["reason"] == "deploy_hook_failed:after_deploy"
    assert run.report["hooks"][-1]["code"] is None
    assert data_of(shared, "single") == {"word": "not-hooked"}
    assert shared.deploy().report["outcome"] == "unchanged"
