"""What Kubernetes itself tries again is not final: restarts, and Services without pods."""

from __future__ import annotations

import pytest

from harness.project import Project

pytestmark = pytest.mark.cluster

# As a program does whose database is up 25 s after its first start.
NEEDS_A_DATABASE = (
    "[ -e /kept/began ] || /bin/busybox date +%s > /kept/began;"
    " [ $(( $(/bin/busybox date +%s) - $(/bin/busybox cat /kept/began) )) -ge 25 ]"
    " || { echo no-database; exit 1; };"
    " exec /bin/busybox httpd -f -p 8080 -h /site"
)
ON_DEMAND = """\
apiVersion: v1
kind: Service
metadata: {name: on-demand}
spec: {selector: {role: on-demand}, ports: [{port: 80}]}
"""


def test_a_pod_that_restarts_until_its_database_is_up(project: Project) -> None:
    path = "chart/templates/deployment.yaml"
    project.edit(path, "progressDeadlineSeconds: 60", "progressDeadlineSeconds: 120")
    project.edit(
        path,
        "      containers:\n",
        "      volumes: [{name: kept, emptyDir: {}}]\n      containers:\n",
    )
    mounts = "          volumeMounts: [{name: kept, mountPath: /kept}]\n"
    project.edit(path, "        - name: web\n", f"        - name: web\n{mounts}")
    project.set_entrypoint(NEEDS_A_DATABASE)
    project.append("localloop.yml", "\nreadiness: {timeout: 120, max_restarts: 20}\n")
    run = project.deploy()
    (pod,) = project.outside.pods()
    assert pod["status"]["containerStatuses"][0]["restartCount"] >= 2
    assert run.report["readiness"]["readiness_gate_status"] == "ready"
    assert project.deploy().report["outcome"] == "unchanged"


def test_restarts_end_where_max_restarts_says(project: Project) -> None:
    project.set_entrypoint("echo no-database; exit 1")
    project.append("localloop.yml", "\nreadiness: {timeout: 120, max_restarts: 1}\n")
    run = project.deploy(code=1)
    assert run.report["error"]["reason"] == "crash_loop:hello"
    assert "no-database" in run.text
    (pod,) = project.outside.pods()
    assert pod["status"]["containerStatuses"][0]["restartCount"] <= 2


def test_a_service_that_selects_nothing_yet_is_ready_with_a_warning(project: Project) -> None:
    project.write("chart/templates/on-demand.yaml", ON_DEMAND)
    run = project.deploy()
    assert "Service on-demand: 0 endpoints" in run.text
    warning = "Service on-demand selects no workload that is here: it has no endpoint"
    assert warning in run.report["readiness"]["warnings"]
    assert project.deploy().report["outcome"] == "unchanged"
