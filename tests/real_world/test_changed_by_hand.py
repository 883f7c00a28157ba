"""What people change with kubectl is found, named and really taken away; controllers are left."""

from __future__ import annotations

import json

import pytest

from harness.outside import eventually
from harness.project import Project
from harness.run import Run

pytestmark = pytest.mark.cluster

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
    - host: web.example.org
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: hello, port: {name: http}}}}
"""
AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hello}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: hello}
  minReplicas: 2
  maxReplicas: 3
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
"""


def repaired(project: Project, *fields: str) -> Run:
    """Plan and deploy name each field; a second deploy has nothing to do."""
    plan = project.localloop("plan")
    run = project.deploy()
    for field in fields:
        assert field in plan.text
        assert field in run.reasons("hello")
    assert run.report["outcome"] == "deployed"
    again = project.deploy()
    assert again.report["outcome"] == "unchanged", again.text
    return run


def rolled_out(project: Project) -> None:
    project.outside.kubectl("rollout", "status", "deployment", "hello", "--timeout=60s")


def test_what_people_add_is_found_named_and_taken_away(project: Project) -> None:
    outside, get = project.outside, project.cluster.get
    where = ("-n", project.name)
    project.write("chart/templates/ingress.yaml", INGRESS)
    project.deploy()
    spec, pods = outside.deployment()["spec"], outside.see().pods

    # Labels and annotations move no generation.
    outside.kubectl("annotate", "ingress", "web", "example.org/timeout=5s")
    outside.kubectl("label", "deployment", "hello", "owner=somebody")
    repaired(
        project,
        "Ingress web: annotations.example.org/timeout",
        "Deployment hello: labels.owner",
    )
    assert "example.org/timeout" not in json.dumps(get("ingress", "web", *where)["metadata"])
    assert "owner" not in outside.deployment()["metadata"]["labels"]
    assert outside.see().pods == pods

    # What no manifest sets: a variable, a sidecar, a key of a selector.
    sidecar = {"name": "helper", "image": outside.see().image}
    sidecar["command"] = ["/bin/busybox", "sleep", "1000"]  # type: ignore[assignment]
    template = {"spec": {"template": {"spec": {"containers": [sidecar]}}}}
    outside.kubectl("set", "env", "deployment/hello", "DEBUG=1")
    outside.kubectl("patch", "deployment", "hello", "-p", json.dumps(template))
    selector = {"spec": {"selector": {"track": "canary"}}}
    outside.kubectl("patch", "service", "hello", "-p", json.dumps(selector))
    eventually("the broken page", lambda: not outside.page())
    repaired(
        project,
        "spec.template.spec.containers[web].env",
        "spec.template.spec.containers[helper]",
        "Service hello: spec.selector.track",
    )
    assert outside.deployment()["spec"] == spec
    assert get("service", "hello", *where)["spec"]["selector"] == {"app": "hello"}
    assert "Hello from localloop" in eventually("the page", outside.page)


def test_a_restart_and_an_autoscaler_are_named_once_and_left(project: Project) -> None:
    outside = project.outside
    project.write("chart/templates/autoscaler.yaml", AUTOSCALER)
    project.deploy()
    eventually("the autoscaler", lambda: outside.deployment()["spec"]["replicas"] == 2)
    rolled_out(project)
    outside.kubectl("rollout", "restart", "deployment", "hello")
    rolled_out(project)
    eventually("the end of the old pods", lambda: len(outside.all_pods()) == 2)
    before = outside.see()

    first, second = project.deploy(), project.deploy()
    for run in (first, second):
        assert run.report["outcome"] == "unchanged", run.text
    assert "Deployment hello: was restarted by hand at" in first.text
    assert "restarted by hand" not in second.text
    assert outside.see() == before

    # A change by hand is still one, and a release does not restart what was restarted.
    outside.kubectl("set", "env", "deployment/hello", "DEBUG=1")
    repaired(project, "spec.template.spec.containers[web].env")
    template = outside.deployment()["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_scaled_to_nothing_while_it_is_deployed_is_not_deployed(deployed: Project) -> None:
    deployed.set_page("Hello from localloop, later")
    deployed.set_slow_start(6)
    running = deployed.start("deploy")
    running.until_gate()
    deployed.outside.kubectl("scale", "deployment", "hello", "--replicas=0")
    run = running.end()
    assert run.code == 1, run.text
    assert run.report["error"]["reason"] == "changed_by_hand:hello"
    assert "Deployment hello: spec.replicas" in run.text
    assert "Deployed" not in run.text
    deployed.deploy()
    assert deployed.outside.see().replicas == 1
    assert deployed.deploy().report["outcome"] == "unchanged"
