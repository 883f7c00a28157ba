"""Where Helm alone leaves a release half done: hooks, failed installs, immutable fields, tags."""

from __future__ import annotations

import re

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
    values: {{said: a}}
readiness: {{timeout: 20}}
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {event}
  annotations:
    helm.sh/hook: {event}
    helm.sh/hook-delete-policy: {policy}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: hook
          image: {{{{ .Values.image }}}}
          command: [/bin/busybox, sh, -c, "{script}"]
"""
FIXED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: fixed}
immutable: true
data: {said: {{ .Values.said }}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: fixed}
spec:
  replicas: 0
  serviceName: {{ .Values.said }}
  selector: {matchLabels: {app: fixed}}
  template:
    metadata: {labels: {app: fixed}}
    spec: {containers: [{name: a, image: a}]}
"""
# The API server fills in `rollingUpdate`, and does not allow it beside the other types.
STRATEGIES = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: one}
spec:
  replicas: 0
  strategy: {type: {{ .Values.deployment }}}
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec: {containers: [{name: a, image: a}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: one}
spec:
  replicas: 0
  serviceName: one
  updateStrategy: {type: {{ .Values.set }}}
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec: {containers: [{name: a, image: a}]}
"""
WORDS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {said: {{ .Values.said }}}
"""
BY_TAG = "{{ .Values.repository }}:{{ .Values.tag }}"
COMPARED = f'{{{{ if semverCompare ">=0.0.0-0" .Values.tag }}}}{BY_TAG}{{{{ end }}}}'


@pytest.fixture
def chart(project: Project) -> Project:
    """A project of one chart without images."""
    project.write("localloop.yml", CHART_ONLY.format(name=project.name))
    for path in ("deployment", "service"):
        (project.root / f"chart/templates/{path}.yaml").unlink()
    return project


def test_a_failed_first_install_is_installed_anew_with_its_hooks(project: Project) -> None:
    add_hook(project, "pre-install", "echo no database at db:5432; exit 3", policy="hook-failed")
    add_hook(project, "post-install", "echo done")
    run = project.deploy(code=1)
    assert "no database at db:5432" in run.text
    assert "unable to retrieve container logs" not in run.text + run.markdown
    assert "no longer has a release" not in project.localloop("plan").text

    # Its Job stays, and would be in the way of the next one.
    add_hook(project, "pre-install", "echo no table yet; exit 4", policy="hook-succeeded")
    assert "no table yet" in project.deploy(code=1).text

    add_hook(project, "pre-install", "echo there it is", policy="hook-failed")
    run = project.deploy()
    assert "its first install failed: uninstalled and installed again" in run.text
    jobs = project.cluster.items("jobs", "-n", project.name)
    ended = {job["metadata"]["name"]: job["status"].get("succeeded") for job in jobs}
    assert ended == {"pre-install": 1, "post-install": 1}


def add_hook(
    project: Project, event: str, script: str, *, policy: str = "before-hook-creation"
) -> None:
    text = HOOK.format(event=event, script=script, policy=policy)
    project.write(f"chart/templates/{event}.yaml", text)


def test_a_rollback_after_a_repaired_drift_goes_to_another_state(chart: Project) -> None:
    chart.write("chart/templates/words.yaml", WORDS)
    chart.deploy()
    chart.edit("localloop.yml", "said: a", "said: b")
    chart.deploy()
    chart.outside.kubectl("patch", "configmap", "words", "-p", '{"data": {"said": "by hand"}}')
    chart.deploy()
    assert said(chart) == "b"
    chart.localloop("rollback")
    assert said(chart) == "a"


def said(project: Project) -> str:
    found: str = project.cluster.get("configmap", "words", "-n", project.name)["data"]["said"]
    return found


def test_images_that_no_node_could_get_are_refused_before_anything_changes(
    project: Project,
) -> None:
    built = project.outside.tags()
    project.edit(
        "localloop.yml", "image: $web.ref", "repository: $web.repository\n      tag: latest"
    )
    image = '{{ required "image is required" .Values.image | quote }}'
    project.edit("chart/templates/deployment.yaml", image, BY_TAG)
    run = project.deploy(code=2)
    assert f"Deployment hello: {registry_of(run.text)}/{project.name}/web:latest" in run.text

    project.edit("localloop.yml", "tag: latest", "tag: $web.semver")
    project.edit(
        "chart/templates/deployment.yaml", BY_TAG, f"{COMPARED}\n          imagePullPolicy: Never"
    )
    assert "imagePullPolicy Never cannot be served" in project.deploy(code=2).text
    assert project.outside.history() == []
    assert project.outside.tags() == built

    project.edit(
        "chart/templates/deployment.yaml", "imagePullPolicy: Never", "imagePullPolicy: IfNotPresent"
    )
    project.deploy()
    assert re.search(r"/web:0\.0\.0-d-[0-9a-f]{20}$", project.outside.see().image)


def registry_of(text: str) -> str:
    found = re.search(r"127\.0\.0\.1:\d+|[\w.-]+:\d+(?=/)", text)
    assert found, text
    return found[0]


def test_an_update_strategy_may_change(chart: Project) -> None:
    chart.write("chart/templates/one.yaml", STRATEGIES)
    rolling = "{said: a, deployment: RollingUpdate, set: RollingUpdate}"
    chart.edit("localloop.yml", "{said: a}", rolling)
    chart.deploy()
    chart.edit("localloop.yml", rolling, "{said: a, deployment: Recreate, set: OnDelete}")
    assert "a default that cannot stay, taken away" in chart.deploy().text
    found = chart.cluster.get("deployment", "one", "-n", chart.name)["spec"]["strategy"]
    assert found == {"type": "Recreate"}
    found = chart.cluster.get("statefulset", "one", "-n", chart.name)["spec"]["updateStrategy"]
    assert found["type"] == "OnDelete"
    assert "Nothing to do" in chart.deploy().text
    chart.localloop("rollback")
    found = chart.cluster.get("deployment", "one", "-n", chart.name)["spec"]["strategy"]
    assert found["type"] == "RollingUpdate"


def test_one_command_deletes_all_objects_with_immutable_fields(chart: Project) -> None:
    chart.write("chart/templates/fixed.yaml", FIXED)
    chart.deploy()
    chart.edit("localloop.yml", "said: a", "said: b")
    run = chart.deploy(code=1)
    (command,) = re.findall(r"run the deploy again: (kubectl .*)", run.text)
    kubectl = f"kubectl --kubeconfig {chart.cluster.kubeconfig}"
    deleted = output(["sh", "-c", command.replace("kubectl", kubectl)])
    assert set(re.findall(r"(\S+) \"fixed\" deleted", deleted)) == {"configmap", "statefulset.apps"}
    chart.deploy()
    assert chart.cluster.get("statefulset", "fixed", "-n", chart.name)["spec"]["serviceName"] == "b"
