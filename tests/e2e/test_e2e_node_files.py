"""A node file of a project, from outside: its bytes on the node, and the pods that use it."""

from __future__ import annotations

import hashlib

import pytest

from harness.outside import docker
from harness.project import Project

pytestmark = pytest.mark.cluster


@pytest.fixture
def tooled(project: Project) -> Project:
    """A deployed project with two pods and the node file ``tool``."""
    project.edit("chart/values.yaml", "replicas: 1", "replicas: 2")
    project.add_node_file("one")
    project.deploy()
    return project


def on_node(project: Project, *argv: str) -> str:
    return docker("exec", project.cluster.node, *argv)


def sha256_on_node(project: Project) -> str:
    return on_node(project, "sha256sum", project.node_path).split()[0]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def uids(project: Project) -> set[str]:
    return {pod["metadata"]["uid"] for pod in project.outside.pods()}


def test_put_restarts_the_pods_that_were_there_before(tooled: Project) -> None:
    assert sha256_on_node(tooled) == sha256("one")
    assert on_node(tooled, "stat", "--format=%u:%g %a", tooled.node_path) == "7:8 640"
    before, history = uids(tooled), tooled.outside.history()

    tooled.write("tool/text", "two")
    run = tooled.deploy()

    assert sha256_on_node(tooled) == sha256("two")
    assert len(uids(tooled)) == 2
    assert not uids(tooled) & before
    assert tooled.outside.history() == history
    plan = run.report["plan"]
    assert plan["tool_reconcile_performed"] is True
    assert plan["tool_reconcile_expected_running"] == 2
    assert plan["tool_reconcile_restarted_pods"] == plan["tool_reconcile_waits"] == 2
    assert plan["tool_pending"] == 0
    assert run.report["digests"]["tool"]["deployed_before"] == sha256("one")
    assert run.report["digests"]["tool"]["target_after_push"] == sha256("two")
    assert run.report["fingerprints"]["tool"]["state_written"] is True
    assert on_node(tooled, "ls", "-A", tooled.node_path.rpartition("/")[0]) == "tool"

    quiet = tooled.deploy()
    assert quiet.report["outcome"] == "unchanged"


def test_other_sources_of_the_same_bytes_touch_neither_node_nor_pods(tooled: Project) -> None:
    before = uids(tooled)
    inode = on_node(tooled, "stat", "--format=%i", tooled.node_path)
    tooled.append("Dockerfile.tool", "# nothing else\n")

    run = tooled.deploy()

    assert run.plan_of("tool")["skip"] == "digest_already_deployed"
    assert uids(tooled) == before
    assert on_node(tooled, "stat", "--format=%i", tooled.node_path) == inode
    assert tooled.deploy().report["outcome"] == "unchanged"


def test_bytes_changed_on_the_node_are_put_again(tooled: Project) -> None:
    before = uids(tooled)
    on_node(tooled, "sh", "-c", f"echo other > {tooled.node_path}")

    run = tooled.deploy()

    assert run.reasons("tool").startswith("node_changed")
    assert sha256_on_node(tooled) == sha256("one")
    assert not uids(tooled) & before


def test_a_touched_file_with_the_recorded_bytes_is_proven_by_its_digest(tooled: Project) -> None:
    before = uids(tooled)
    on_node(tooled, "touch", tooled.node_path)
    assert tooled.deploy().report["outcome"] == "unchanged"
    assert uids(tooled) == before


def test_a_pod_without_a_controller_is_left_alone_and_reported(tooled: Project) -> None:
    template = tooled.outside.pods()[0]["spec"]["containers"][0]
    tooled.outside.kubectl(
        "run", "alone", f"--image={template['image']}", "--labels=app=hello", "--restart=Always"
    )
    tooled.outside.kubectl("wait", "--for=condition=Ready", "pod/alone", "--timeout=30s")
    uid = tooled.cluster.get("-n", tooled.name, "pod", "alone")["metadata"]["uid"]
    tooled.write("tool/text", "two")

    run = tooled.deploy()

    assert "left pod alone" in run.text
    assert uid in uids(tooled)
    assert run.report["plan"]["tool_pending"] == 1
    assert run.report["plan"]["tool_reconcile_restarted_pods"] == 2


def test_a_replacement_that_does_not_become_ready_stops_the_restarts(tooled: Project) -> None:
    tooled.edit("localloop.yml", "timeout: 60", "timeout: 6")
    tooled.outside.kubectl(
        "create", "quota", "none", "--hard=pods=1"
    )  # no pod may be added: the first one that goes is not replaced
    before = uids(tooled)
    tooled.write("tool/text", "two")

    run = tooled.deploy(code=1)

    assert run.report["error"]["reason"] == "reconcile_failed:tool"
    assert len(uids(tooled) & before) == 1
    assert run.report["plan"]["tool_reconcile_failure_reason"] == "pod_not_ready"
    assert run.report["plan"]["tool_pending"] == 2

    tooled.outside.kubectl("delete", "quota", "none")
    again = tooled.deploy()
    assert again.plan_of("tool")["steps"] == ["reconcile"]
    assert not uids(tooled) & before
