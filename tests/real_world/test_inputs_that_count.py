"""What reaches the cluster counts as input: modes, local subcharts, crds/, COPY's variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from harness.outside import output
from harness.project import Project

pytestmark = pytest.mark.cluster

CHART_ONLY = """\
version: 1
project: {name}
charts:
  web:
    path: chart
    namespace: {name}
readiness: {{timeout: 20}}
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{said: {said}}}\n"
ABOUT = "apiVersion: v2\nname: {name}\nversion: 0.1.0\n"
NEEDS_THE_CLUSTER = (
    '{{ if not (lookup "v1" "Namespace" "" "default") }}{{ fail "no cluster" }}{{ end }}\n'
)
DEPENDS_ON_COMMON = "dependencies: [{name: common, version: '*', repository: 'file://../common'}]\n"


@pytest.fixture
def charts(project: Project) -> Project:
    """A project of one chart that renders one ConfigMap."""
    project.write("localloop.yml", CHART_ONLY.format(name=project.name))
    for path in ("deployment", "service"):
        (project.root / f"chart/templates/{path}.yaml").unlink()
    project.write("chart/Chart.yaml", ABOUT.format(name="web"))
    project.write("chart/templates/own.yaml", CONFIG_MAP.format(name="own", said="a"))
    return project


def test_a_mode_reaches_the_image_and_is_no_input_of_a_chart(project: Project) -> None:
    tool, folder = project.root / "site/tool", project.root / "site/folder"
    folder.mkdir()
    tool.write_text(f"#!/bin/sh\n# {uuid4()}\n")  # no registry has it yet
    (folder / "page.html").write_text("page")
    tool.chmod(0o744)
    folder.chmod(0o755)
    project.edit("Dockerfile", "COPY site/ /site/", "ARG SITE=site\nCOPY ${SITE}/ /site/")
    project.deploy()
    assert modes(project) == ["744", "755"]

    tool.chmod(0o755)
    assert "site/tool (mode 744 → 755)" in project.deploy().reasons("web")
    assert modes(project) == ["755", "755"]
    folder.chmod(0o1777)
    project.deploy()
    assert modes(project) == ["755", "1777"]

    (project.root / "chart/values.yaml").chmod(0o600)
    (project.root / "notes.txt").write_text("COPY's variable is known: this is no input\n")
    assert "Nothing to do" in project.deploy().text


def modes(project: Project) -> list[str]:
    """The modes of the tool and of the folder in the image, as the pod sees them."""
    command = ("/bin/busybox", "stat", "-c", "%a", "/site/tool", "/site/folder")
    return project.outside.kubectl("exec", "deployment/hello", "--", *command).split()


def test_an_edit_in_a_local_subchart_is_released(charts: Project) -> None:
    (charts.root / "common/templates").mkdir(parents=True)
    charts.write("common/Chart.yaml", ABOUT.format(name="common"))
    charts.write("common/templates/c.yaml", CONFIG_MAP.format(name="common", said="a"))
    charts.append("chart/Chart.yaml", DEPENDS_ON_COMMON)
    charts.deploy()  # what is missing is built, and not here
    assert said(charts, "common") == "a"
    assert not (charts.root / "chart/charts").exists()

    output(["helm", "dependency", "update", str(charts.root / "chart")])
    packed = charts.root / "chart/charts/common-0.1.0.tgz"
    before = packed.read_bytes()
    charts.write("common/templates/c.yaml", CONFIG_MAP.format(name="common", said="b"))
    charts.deploy()
    assert said(charts, "common") == "b"
    assert packed.read_bytes() == before
    assert "Nothing to do" in charts.deploy().text


def said(project: Project, name: str) -> str:
    found: str = project.cluster.get("configmap", name, "-n", project.name)["data"]["said"]
    return found


def test_an_edit_under_crds_is_applied_or_refused_before_anything_changes(charts: Project) -> None:
    group = f"{charts.name}.example.org"
    name = f"widgets.{group}"
    file = charts.root / "chart/crds/widgets.json"
    file.parent.mkdir()
    try:
        define(file, group, v1={"size": {"type": "integer"}})
        charts.deploy()
        define(file, group, v1={"size": {"type": "integer"}, "color": {"type": "string"}})
        assert f"CustomResourceDefinition {name} changed" in charts.deploy().text
        (version,) = charts.cluster.get("crd", name)["spec"]["versions"]
        assert set(version["schema"]["openAPIV3Schema"]["properties"]) == {"size", "color"}
        assert "Nothing to do" in charts.deploy().text

        before = charts.cluster.get("crd", name)["metadata"]["generation"]
        # Also where the chart only renders with the cluster, as those that check its APIs.
        charts.write("chart/templates/lookup.yaml", NEEDS_THE_CLUSTER)
        define(file, group, v1={"size": {"type": "nonsense"}})
        refused = charts.deploy(code=2).text
        assert f"the API server refuses CustomResourceDefinition {name}" in refused
        define(file, group, v2={"size": {"type": "integer"}})
        charts.write("chart/templates/own.yaml", CONFIG_MAP.format(name="own", said="b"))
        run = charts.deploy(code=2)
        assert f"CustomResourceDefinition {name} no longer has v1" in run.text
        assert charts.cluster.get("crd", name)["metadata"]["generation"] == before
        assert said(charts, "own") == "a"
    finally:
        charts.cluster.kubectl("delete", "crd", name, "--ignore-not-found", "--wait=false")


def define(file: Path, group: str, **versions: dict[str, Any]) -> None:
    """Write a CustomResourceDefinition: each version's properties; the last version is stored."""
    last = list(versions)[-1]
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == last,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                }
                for version, properties in versions.items()
            ],
        },
    }
    file.write_text(json.dumps(body))
