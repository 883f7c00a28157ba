"""Whatever Kubernetes reads: odd YAML, odd custom resources, files that are broken."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from harness.outside import Cluster
from harness.project import Project
from localloop.kube.documents import read_documents

pytestmark = pytest.mark.cluster

CONFIG = """\
version: 1
project: {name}
charts:
  raw:
    manifests: [manifests]
    namespace: {name}
  empty:
    path: chart
    namespace: {name}
    values: {{title: "Ship it 🚀", scope: ""}}
readiness: {{timeout: 20}}
"""
WIDGETS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Widget, plural: widgets, singular: widget}}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
"""
ODD_OBJECTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: keys, namespace: }
data:
  9000: "default/echo:80"
  yes: "1k"
  1.50: "🚀 \\u2028"
---
# no object
---
null
---
apiVersion: v1
kind: List
items:
---
apiVersion: v1
kind: Secret
metadata: {name: words}
data: {a: "YWJj\\n"}
stringData: {b: ~, c: "🚀"}
---
apiVersion: v1
kind: Service
metadata: {name: plain, labels: {a: }}
spec: {clusterIP: "", type: "", ports: [{port: 80, nodePort: 0, targetPort: 0}], selector: }
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec: {limits: [{type: Container, default: {cpu: 0.5, memory: 1024Mi}, max: ~}]}
"""
STATUSES = {
    "text": "Running",
    "map": {"conditions": {"Ready": "True"}},
    "boolean": {"conditions": [{"type": "Ready", "status": True}]},
    "generation": {"observedGeneration": {"a": 1}},
}
# Each is read by kubectl as it stands, plain, as a value and as a key.
SCALARS = """\
    yes No on OFF y n ~ null true tRUE 0 010 08 0o17 0x1F 0b101 1_000 1e3 1.50 .5 -1 +1 1e400
    12:30 190:20:30 2026-01-01 2001-12-14t21:59:43.10-05:00 9223372036854775807 1.10 0.1 1e6"""


@pytest.fixture
def odd(project: Project) -> Project:
    """A project without images: manifests, and a chart whose namespace renders to nothing."""
    group = f"{project.name}.example.org"
    (project.root / "manifests").mkdir()
    project.write("localloop.yml", CONFIG.format(name=project.name))
    project.write("manifests/odd.yaml", ODD_OBJECTS)
    project.write("manifests/a-crd.yaml", WIDGETS.format(group=group))
    project.write(
        "chart/templates/title.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: title\n"
        "  namespace: {{ .Values.scope }}\ndata:\n  title: {{ .Values.title | quote }}\n",
    )
    for path in ("deployment", "service"):
        (project.root / f"chart/templates/{path}.yaml").unlink(missing_ok=True)
    return project


def test_objects_as_kubernetes_reads_them_are_no_drift(odd: Project) -> None:
    odd.deploy()
    cluster, where = odd.cluster, ("-n", odd.name)
    keys = cluster.get("configmap", "keys", *where)["data"]
    assert keys == {"9000": "default/echo:80", "true": "1k", "1.5": "🚀 \u2028"}
    assert cluster.get("configmap", "title", *where)["data"] == {"title": "Ship it 🚀"}
    assert "Nothing to do" in odd.deploy().text
    # Whatever moves a version makes the next run compare, like a controller that annotates.
    for kind, names in [*cluster_objects(), ("configmap", ["title"])]:
        cluster.kubectl("annotate", kind, *names, "seen=yes", "--field-manager=seer", *where)
    assert "Nothing to do" in odd.deploy().text
    # It can fail: a change by hand is still one.
    cluster.kubectl("patch", "configmap", "keys", *where, "-p", '{"data": {"9000": "x"}}')
    assert "keys: data.9000" in odd.localloop("plan").text


def cluster_objects() -> list[tuple[str, list[str]]]:
    return [
        ("configmap", ["keys"]),
        ("secret", ["words"]),
        ("service", ["plain"]),
        ("limitrange", ["limits"]),
    ]


def test_custom_resources_with_any_status_are_not_gated(odd: Project) -> None:
    group = f"{odd.name}.example.org"
    odd.deploy()
    for name, status in STATUSES.items():
        body = {
            "apiVersion": f"{group}/v1",
            "kind": "Widget",
            "metadata": {"name": name},
            "spec": {"template": "Hello"},
            "status": status,
        }
        odd.write(f"manifests/widget-{name}.json", json.dumps(body))
    run = odd.deploy()
    for name in STATUSES:
        assert f"Widget {name} is not gated: its" in run.text
    assert "Nothing to do" in odd.deploy().text


def test_a_broken_file_changes_nothing(odd: Project) -> None:
    odd.deploy()
    before = revisions(odd.cluster, odd.name)
    odd.write("manifests/broken.yaml", "metadata:\n  name: a\n data: {}\n")
    for command in ("plan", "deploy"):
        run = odd.localloop(command, code=2)
        assert "manifests/broken.yaml:3: not valid YAML" in run.text
        assert "Traceback" not in run.text
    assert revisions(odd.cluster, odd.name) == before
    assert "settling" not in odd.localloop("status").text


def revisions(cluster: Cluster, namespace: str) -> list[str]:
    found = cluster.items("secret", "-n", namespace, "-l", "owner=helm")
    return sorted(each["metadata"]["name"] for each in found)


def test_scalars_are_read_as_kubectl_reads_them(odd: Project) -> None:
    """The API server's own copy of a generated object, against what our reader makes of it."""
    odd.deploy()
    words = SCALARS.split()
    values = [f"  v{n}: {word}\n" for n, word in enumerate(words)]
    keys = [f"    ? {word}\n    : v\n" for word in words if word not in ("~", "null")]
    text = "".join(
        chain(
            [f"apiVersion: {odd.name}.example.org/v1\nkind: Widget\nmetadata: {{name: scalars}}\n"],
            ["spec:\n", *values, "  keys:\n", *keys],
        )
    )
    odd.cluster.kubectl("apply", "-n", odd.name, "-f", "-", stdin=text)
    live = odd.cluster.get(f"widgets.{odd.name}.example.org", "scalars", "-n", odd.name)["spec"]
    ((_, ours),) = read_documents(text)
    pruned = {key: value for key, value in ours["spec"].items() if value is not None}
    assert {key: value for key, value in live.items() if value is not None} == pruned
