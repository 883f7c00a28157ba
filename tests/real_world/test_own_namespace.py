"""Releases that contain their own Namespace: first run, second run, down, and once more."""

from __future__ import annotations

import pytest

from harness.outside import Cluster
from harness.project import Project

pytestmark = pytest.mark.cluster

CONFIG = """\
version: 1
project: {name}
charts:
  beside:
    manifests: [beside]
    namespace: {name}
  raw:
    manifests: [manifests]
    namespace: {name}
    needs: [beside]
  chart:
    path: chart
    namespace: {name}-chart
readiness: {{timeout: 20}}
"""
NAMESPACE = (
    "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{team: {team}}}}}\n"
)
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n"


@pytest.fixture
def own(project: Project) -> Project:
    """Two releases in one namespace, of which one contains it, and a chart that renders its own."""
    project.write("localloop.yml", CONFIG.format(name=project.name))
    for folder in ("manifests", "beside"):
        (project.root / folder).mkdir()
        project.write(f"{folder}/map.yaml", CONFIG_MAP.format(name=folder))
    project.write("manifests/namespace.yaml", NAMESPACE.format(name=project.name, team="a"))
    for path in ("deployment", "service"):
        (project.root / f"chart/templates/{path}.yaml").unlink(missing_ok=True)
    project.write(
        "chart/templates/namespace.yaml", NAMESPACE.format(name=f"{project.name}-chart", team="a")
    )
    return project


def namespaces(cluster: Cluster, project: Project) -> dict[str, str]:
    """Those of the project that are not on their way out, with their label ``team``."""
    return {
        each["metadata"]["name"]: each["metadata"]["labels"].get("team", "")
        for each in cluster.items("namespace")
        if each["metadata"]["name"].startswith(project.name)
        and not each["metadata"].get("deletionTimestamp")
    }


def test_a_release_that_contains_its_namespace_comes_and_goes(own: Project) -> None:
    cluster, both = own.cluster, (own.name, f"{own.name}-chart")
    own.deploy()
    assert namespaces(cluster, own) == dict.fromkeys(both, "a")
    assert "Nothing to do" in own.deploy().text
    own.write("manifests/namespace.yaml", NAMESPACE.format(name=own.name, team="b"))
    own.deploy()
    assert namespaces(cluster, own)[own.name] == "b"
    own.localloop("down")
    assert namespaces(cluster, own) == {}
    own.deploy()  # waits for the namespaces' end
    assert namespaces(cluster, own) == {both[0]: "b", both[1]: "a"}
    own.localloop("down")


def test_a_namespace_that_was_made_by_hand_is_not_taken_over(own: Project) -> None:
    own.cluster.kubectl("create", "namespace", f"{own.name}-chart")
    run = own.deploy(code=1)
    assert f'Namespace "{own.name}-chart"' in run.text
    assert f"kubectl label namespace {own.name}-chart" in run.text
    own.localloop("down")
    assert f"{own.name}-chart" in namespaces(own.cluster, own)
    own.cluster.kubectl("delete", "namespace", f"{own.name}-chart")
