"""Changes behind localloop's back are reported and repaired; after that nothing is to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.claims import agrees, unchanged
from harness.outside import Cluster, Outside, Seen, docker, eventually
from harness.project import Project
from harness.run import Run

pytestmark = pytest.mark.cluster


def heal(project: Project, *named: str, component: str = "hello") -> tuple[Seen, Run, Seen]:
    """Deploy after a change: output and report have each word; a second run does nothing."""
    before = project.outside.see()
    run = project.deploy()
    after = project.outside.see()
    for words in named:
        assert words in run.text
        assert words in run.reasons(component)
    agrees(run, project.outside, before, after)
    assert "Hello from localloop" in after.page
    unchanged(project.deploy(), project.outside, after)
    return before, run, after


def image_of_another_page(project: Project) -> str:
    """Publish another image of the same repository, and restore the tree."""
    original, good = project.read("site/index.html"), project.outside.see().image
    project.set_page("Another image")
    project.deploy()
    other = project.outside.see().image
    project.write("site/index.html", original)
    project.deploy()
    assert project.outside.see().image == good != other
    return other


def rolled_out(outside: Outside) -> None:
    outside.kubectl("rollout", "status", "deployment", "hello", "--timeout=60s")


def test_kubectl_set_image(deployed: Project) -> None:
    other = image_of_another_page(deployed)
    deployed.outside.kubectl("set", "image", "deployment/hello", f"web={other}")
    rolled_out(deployed.outside)
    assert "Another image" in eventually("the wrong page", deployed.outside.page)
    before, _, after = heal(deployed, "drift (Deployment hello: ")
    assert after.revision == before.revision + 1
    assert after.image != other


def test_kubectl_scale(deployed: Project) -> None:
    deployed.outside.kubectl("scale", "deployment", "hello", "--replicas=2")
    rolled_out(deployed.outside)
    _, _, after = heal(deployed, "drift (Deployment hello: ", "replicas")
    assert after.replicas == 1


def test_edited_service(deployed: Project) -> None:
    patch = json.dumps({"spec": {"selector": {"app": "nobody"}}})
    deployed.outside.kubectl("patch", "service", "hello", "--patch", patch)
    eventually("the broken page", lambda: not deployed.outside.page())
    heal(deployed, "drift (Service hello: ", "selector")
    service = deployed.cluster.get("-n", deployed.name, "service", "hello")
    assert service["spec"]["selector"] == {"app": "hello"}


def test_edited_config_map(project: Project) -> None:
    project.write(
        "chart/templates/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: blue}\n",
    )
    project.deploy()
    patch = json.dumps({"data": {"color": "red"}})
    project.outside.kubectl("patch", "configmap", "settings", "--patch", patch)
    before = project.outside.see()
    run = project.deploy()
    after = project.outside.see()
    assert "drift (ConfigMap settings: " in run.reasons("hello")
    assert "ConfigMap settings" in run.text
    found = project.cluster.get("-n", project.name, "configmap", "settings")
    assert found["data"] == {"color": "blue"}
    assert (after.revision, after.pods) == (before.revision + 1, before.pods)
    assert project.deploy().report["outcome"] == "unchanged"
    # A label that the manifest does not set is drift if a person set it, and goes away.
    project.outside.kubectl("label", "configmap", "settings", "seen-by=somebody")
    assert "drift (ConfigMap settings: labels.seen-by)" in project.deploy().reasons("hello")
    found = project.cluster.get("-n", project.name, "configmap", "settings")
    assert "seen-by" not in found["metadata"].get("labels", {})
    assert project.deploy().report["outcome"] == "unchanged"
    assert project.outside.see().pods == before.pods


def test_deleted_service(deployed: Project) -> None:
    deployed.outside.kubectl("delete", "service", "hello")
    heal(deployed, "drift (Service hello is gone)")


def test_helm_upgrade_by_hand(deployed: Project) -> None:
    chart = str(deployed.root / "chart")
    words = ("upgrade", "hello", chart, "--reuse-values", "--set", "replicas=2")
    deployed.cluster.helm("-n", deployed.name, *words)
    rolled_out(deployed.outside)
    before, _, after = heal(deployed, "drift (Helm revision 2 is not the recorded 1)")
    assert (before.replicas, after.replicas) == (2, 1)
    assert after.revision == 3


def test_helm_rollback_by_hand(deployed: Project) -> None:
    deployed.set_page("Hello from localloop, again")
    deployed.deploy()
    deployed.cluster.helm("-n", deployed.name, "rollback", "hello", "1")
    rolled_out(deployed.outside)
    eventually("the old page", lambda: "again" not in deployed.outside.page())
    _, _, after = heal(deployed, "drift (Helm revision 3 is not the recorded 2)")
    assert "again" in after.page
    assert after.revision == 4


def test_kubectl_rollout_undo(deployed: Project) -> None:
    deployed.set_page("Hello from localloop, again")
    deployed.deploy()
    deployed.outside.kubectl("rollout", "undo", "deployment", "hello")
    rolled_out(deployed.outside)
    _, _, after = heal(deployed, "drift (Deployment hello: ")
    assert "again" in after.page


def test_helm_uninstall_by_hand(deployed: Project) -> None:
    deployed.cluster.helm("-n", deployed.name, "uninstall", "hello")
    before, _, after = heal(deployed, "release_missing")
    assert before.revisions == ()
    assert after.revisions == ((1, "deployed"),)


def test_record_deleted(deployed: Project) -> None:
    deployed.cluster.kubectl("delete", "secret", "-n", "localloop", deployed.name)
    before, run, after = heal(deployed, "record_missing")
    assert run.plan_of("web")["steps"] == []  # its tag is in the registry
    assert after.revision == before.revision + 1
    assert after.pods == before.pods


def test_manifests_deleted_from_the_registry(deployed: Project) -> None:
    for tag in deployed.outside.tags():
        digest = deployed.outside.digest_of(tag)
        if digest:
            status, _, _ = deployed.cluster.registry(
                "DELETE", f"{deployed.name}/web/manifests/{digest}"
            )
            assert status == 202
    assert deployed.outside.tags() == frozenset()
    _, _, after = heal(deployed, "registry_lost", component="web")
    assert after.revision == 1  # the same bytes: nothing to release
    assert len(after.fp_tags) == 1


def test_registry_wiped(deployed: Project) -> None:
    registry = deployed.cluster.registry_container
    docker("rm", "-f", registry)
    docker("volume", "rm", registry)
    before = deployed.outside.kubectl("get", "pods", "-o", "name")
    run = deployed.deploy()
    assert "registry_missing" in run.text
    assert "registry_lost" in run.text
    assert "registry_lost" in run.reasons("web")
    after = deployed.outside.see()
    assert len(after.fp_tags) == 1
    assert deployed.outside.kubectl("get", "pods", "-o", "name") == before
    assert f"web@{deployed.outside.digest_of(next(iter(after.fp_tags)))}" in after.image
    unchanged(deployed.deploy(), deployed.outside, after)
    # The cluster can pull from it, too.
    deployed.set_page("Hello from localloop and its new registry")
    deployed.deploy()
    assert "its new registry" in deployed.outside.page()


def test_reverted_edit_that_broke_the_deploy(deployed: Project) -> None:
    deployed.set_readiness_timeout(6)
    deployed.deploy()
    original = deployed.read("chart/templates/deployment.yaml")
    deployed.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    assert deployed.deploy(code=1).report["outcome"] == "failed"
    deployed.write("chart/templates/deployment.yaml", original)
    before, _, after = heal(deployed, "unsettled")
    assert after.revision == before.revision + 1


def test_two_checkouts_with_different_bytes(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    one = make_project("two-checkouts", "one")
    two = make_project("two-checkouts", "two")
    one.set_page("From checkout one")
    two.set_page("From checkout two")
    one.deploy()
    assert "checkout one" in one.outside.page()
    two.deploy()
    assert "checkout two" in one.outside.page()
    before = one.outside.see()
    run = one.deploy()
    after = one.outside.see()
    assert "checkout one" in after.page
    assert after.revision == before.revision + 1
    assert after.tags == before.tags  # both builds are there
    assert "image_changed (web)" in run.reasons("hello")
    agrees(run, one.outside, before, after)
    unchanged(one.deploy(), one.outside, after)


def test_release_of_another_origin(project: Project, cluster: Cluster) -> None:
    image = f"{project.name}-other"
    donor = Project(project.root.parent / "donor", image, cluster)
    donor.deploy()
    theirs = donor.outside.see().image
    donor.localloop("down")
    chart = str(project.root / "chart")
    words = ("install", "hello", chart, "--create-namespace", "--set", f"image={theirs}")
    cluster.helm("-n", project.name, *words)
    rolled_out(project.outside)
    before = project.outside.see()
    run = project.deploy(code=2)
    assert "release_not_ours" in run.report["error"]["reason"]
    assert f"{project.name}/hello is not one of localloop's" in run.text
    assert "adopt: true" in run.text
    assert run.report["outcome"] == "refused"
    assert project.outside.see() == before
    assert project.outside.record() == {}

    project.edit("localloop.yml", "    path: chart\n", "    path: chart\n    adopt: true\n")
    run = project.deploy()
    after = project.outside.see()
    assert "Hello from localloop" in after.page
    assert after.revision == 2
    agrees(run, project.outside, before, after)
    unchanged(project.deploy(), project.outside, after)
