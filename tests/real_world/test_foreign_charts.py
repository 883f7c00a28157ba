"""Charts built as popular ones are: deployed, unchanged, edited, rolled back, removed.

``charts/blog`` has the structure of WordPress's chart of Bitnami (subcharts, conditions, tags, an
alias, imported values, a library chart by its path), ``charts/store`` that of its PostgreSQL chart
(a schema, StatefulSets, claims, a packed library, passwords and certificates that are generated and
looked up), and ``charts/operator`` that of kube-prometheus-stack (definitions in a subchart,
admission webhooks that hook Jobs prepare, cluster roles, lists, objects in other namespaces).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.outside import Cluster, output
from harness.project import Project

pytestmark = pytest.mark.cluster

CHARTS = Path(__file__).parent / "charts"
CONFIG = """\
version: 1
project: {name}
images:
  program: {{dockerfile: program/Dockerfile}}
charts:
  {chart}:
    path: {chart}
    namespace: {name}
    release: {release}
    values:{values}
readiness: {{timeout: 80}}
"""
IMAGE = "{registry: $program.registry, repository: $program.name, digest: $program.digest}"
BLOG = f"""
      global: {{image: {IMAGE}}}
      title: First
      extraEnv: "- {{name: TITLE, value: '{{{{ .Values.title }}}}'}}"
      extraObjects:
        - apiVersion: v1
          kind: ConfigMap
          metadata: {{name: "{{{{ .Release.Name }}}}-extra"}}"""
STORE = f"""
      global: {{image: {IMAGE}}}
      architecture: replication
      scripts: {{init.sql: "CREATE DATABASE {{{{ .Release.Name }}}};"}}
      auth: {{rotate: true}}"""
OPERATOR = """
      global: {image: $program.ref}
      commonLabels: {team: night}"""


@pytest.fixture
def foreign(project: Project) -> Iterator[Project]:
    """A project whose root has all of the charts."""
    for path in CHARTS.iterdir():
        shutil.copytree(path, project.root / path.name)
    yield project


def configure(project: Project, chart: str, release: str, values: str) -> None:
    text = CONFIG.format(name=project.name, chart=chart, release=release, values=values)
    project.write("localloop.yml", text)


def pods(project: Project) -> dict[str, tuple[str, int]]:
    """The uid and the restarts of each pod that runs."""
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ())),
        )
        for pod in project.cluster.items("pods", "-n", project.name)
        if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
    }


def revision(project: Project, release: str) -> int:
    found = project.cluster.items("secret", "-n", project.name, "-l", f"owner=helm,name={release}")
    return max(int(each["metadata"]["labels"]["version"]) for each in found)


def require_unchanged(project: Project, release: str, log: Path) -> None:
    """A second run starts no process, makes no revision and restarts nothing."""
    before = revision(project, release), pods(project)
    run, processes = project.traced_deploy(log)
    assert "Nothing to do" in run.text
    assert processes == ""
    assert (revision(project, release), pods(project)) == before


def names(cluster: Cluster, project: Project, kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.items(kind, "-n", project.name)}


def secret(project: Project, name: str) -> dict[str, Any]:
    return project.cluster.get("secret", name, "-n", project.name)["data"]


def test_a_chart_with_subcharts_and_a_library(foreign: Project, tmp_path: Path) -> None:
    cluster, name = foreign.cluster, foreign.name
    configure(foreign, "blog", "news", BLOG)
    run = foreign.deploy()
    assert "is not gated" not in run.text
    assert {pod.rsplit("-", 1)[0] for pod in pods(foreign)} >= {"news-database"}
    assert names(cluster, foreign, "deployment") == {"news-blog", "news-sessions"}
    page = cluster.get("configmap", "news-blog", "-n", name)["data"]["index.html"]
    assert "database:3306 as writer" in page
    require_unchanged(foreign, "news", tmp_path / "log")
    password, first = secret(foreign, "news-database"), pods(foreign)

    foreign.edit("localloop.yml", "title: First", "title: Second")
    foreign.edit("common/templates/_pods.tpl", "initialDelaySeconds: 10", "initialDelaySeconds: 9")
    run = foreign.deploy()
    assert "common" in run.reasons("blog")
    assert secret(foreign, "news-database") == password
    kept = {pod for pod, _ in pods(foreign).items() & first.items()}
    assert {pod.split("-")[1] for pod in kept} == {"database", "sessions"}
    require_unchanged(foreign, "news", tmp_path / "log")

    foreign.localloop("rollback")
    page = cluster.get("configmap", "news-blog", "-n", name)["data"]["index.html"]
    assert "<title>First</title>" in page
    assert secret(foreign, "news-database") == password
    assert "release" in foreign.localloop("plan").text  # the tree has the edit

    run = foreign.localloop("down")
    assert names(cluster, foreign, "pvc") == {"news-blog", "data-news-database-0"}
    assert "PersistentVolumeClaim news-blog stays" in run.text
    assert "PersistentVolumeClaim data-news-database-0 stays" in run.text
    assert names(cluster, foreign, "statefulset,deployment,ingress") == set()


def test_a_store_with_a_schema_claims_and_generated_secrets(
    foreign: Project, tmp_path: Path
) -> None:
    cluster = foreign.cluster
    (foreign.root / "store" / "charts").mkdir()
    output(["helm", "package", f"{CHARTS}/common", "-d", str(foreign.root / "store" / "charts")])
    configure(foreign, "store", "main", STORE)
    foreign.deploy()
    kept = [secret(foreign, "main-store"), secret(foreign, "main-store-crt")]
    require_unchanged(foreign, "main", tmp_path / "log")

    foreign.edit("localloop.yml", "auth: {rotate", "replicas: many\n      auth: {rotate")
    run = foreign.deploy(code=2)
    assert "/replicas" in run.text and "want integer" in run.text
    foreign.edit(
        "localloop.yml", "replicas: many", "replicas: 2\n      primary: {settings: {a: b}}"
    )
    before = pods(foreign)
    foreign.deploy()
    assert [secret(foreign, "main-store"), secret(foreign, "main-store-crt")] == kept
    after = pods(foreign)
    assert set(after) == {*before, "main-store-read-1"}
    assert not after.items() & before.items()  # by the checksum of their configuration
    require_unchanged(foreign, "main", tmp_path / "log")

    foreign.localloop("rollback")
    assert set(pods(foreign)) == set(before)
    assert [secret(foreign, "main-store"), secret(foreign, "main-store-crt")] == kept

    run = foreign.localloop("down")
    claims = {"main-store-backup", "data-main-store-primary-0"}
    claims |= {f"data-main-store-read-{n}" for n in range(2)}
    assert names(cluster, foreign, "pvc") == claims
    for claim in claims:
        assert f"PersistentVolumeClaim {claim} stays" in run.text
    # Helm leaves what a hook made, unless its delete policy says otherwise.
    assert "main-store-previous" in names(cluster, foreign, "secret")
    assert "Secret main-store-previous stays" in run.text
    foreign.deploy()  # what stayed is in nobody's way
    assert names(cluster, foreign, "pvc") == claims


def test_an_operator_with_definitions_webhooks_and_hooks(foreign: Project, tmp_path: Path) -> None:
    cluster = foreign.cluster
    configure(foreign, "operator", "watch", OPERATOR)
    try:
        foreign.deploy()
        bundle = ca_bundles(cluster)
        assert all(bundle)
        require_unchanged(foreign, "watch", tmp_path / "log")
        cluster.helm("test", "watch", "-n", foreign.name)
        assert "Nothing to do" in foreign.deploy().text

        foreign.edit("operator/rules/nodes.yaml", "for: 10m", "for: 5m")
        crd = "operator/charts/crds/crds/crd-monitors.yaml"
        foreign.edit(crd, "interval: {type: string, default: 30s}", "interval: {type: string}")
        foreign.deploy()
        assert alert(foreign)["for"] == "5m"
        assert ca_bundles(cluster) != bundle  # the hooks have run again
        require_unchanged(foreign, "watch", tmp_path / "log")

        foreign.localloop("rollback")
        assert alert(foreign)["for"] == "10m"
        run = foreign.localloop("down")
        assert "CustomResourceDefinition monitors.watch.example.org stays" in run.text
        assert "CustomResourceDefinition alertrules.watch.example.org stays" in run.text
        assert cluster.items("alertrules.watch.example.org", "-A") == []
        mine = "clusterrole,mutatingwebhookconfiguration"
        left = {each["metadata"]["name"] for each in cluster.items(mine)}
        assert not {each for each in left if each.startswith("watch-operator")}
    finally:
        crds = [f"{each}.watch.example.org" for each in ("monitors", "alertrules")]
        cluster.kubectl("delete", "crd", *crds, "--ignore-not-found", "--wait=false")


def ca_bundles(cluster: Cluster) -> list[str]:
    return [
        cluster.get(f"{kind}webhookconfiguration", "watch-operator-admission")["webhooks"][0][
            "clientConfig"
        ].get("caBundle", "")
        for kind in ("mutating", "validating")
    ]


def alert(project: Project) -> dict[str, Any]:
    found = project.cluster.get("alertrule", "watch-nodes", "-n", project.name)
    return found["spec"]["groups"][0]["rules"][0]
