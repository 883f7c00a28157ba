"""A cluster found by its context: the worker's own, since who made it is not asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.claims import unchanged
from harness.outside import docker
from harness.project import Project

pytestmark = pytest.mark.cluster


def find_cluster(project: Project, *, route: str = "auto", kubeconfig: Path | None = None) -> None:
    cluster = project.cluster
    project.append(
        "localloop.yml",
        f"\ncluster: {{context: {cluster.context}, kubeconfig: {kubeconfig or cluster.kubeconfig}}}"
        f"\nregistry: {{route: {route}}}\n",
    )


def image_id(project: Project, reference: str) -> str:
    """What the node's runtime has under a reference; empty if nothing."""
    argv = ("exec", project.cluster.node, "crictl", "images", "--no-trunc", "-o", "json")
    for image in json.loads(docker(*argv))["images"]:
        if reference in (*image.get("repoDigests", []), *image.get("repoTags", [])):
            return str(image["id"])
    return ""


def test_images_are_loaded_into_the_nodes(project: Project, tmp_path: Path) -> None:
    find_cluster(project, route="load")
    project.set_page("Loaded first")  # an image that nobody else has pulled there
    first = project.deploy()
    assert first.report["header"]["image_route"] == "load"
    assert first.report["header"]["cluster_provider"] == "existing"
    assert first.plan_of("web")["steps"] == ["build", "publish", "load"]
    before = project.outside.see()
    assert "Loaded first" in before.page
    run, started = project.traced_deploy(tmp_path / "started")
    assert (run.report["outcome"], project.outside.see()) == ("unchanged", before)
    assert started == ""

    project.set_page("Loaded again")
    project.deploy()
    edited = project.outside.see()
    assert "Loaded again" in edited.page
    project.set_page("Loaded first")
    undone = project.deploy()
    assert "build" not in undone.plan_of("web")["steps"]
    assert project.outside.see().image == before.image

    # The node loses the image: it is loaded again, and nothing is released.
    now = project.outside.see()
    docker("exec", project.cluster.node, "crictl", "rmi", image_id(project, now.image))
    assert image_id(project, now.image) == ""
    mended = project.deploy()
    assert mended.plan_of("web")["steps"] == ["load"]
    assert image_id(project, now.image)
    assert project.outside.see().revisions == now.revisions

    project.localloop("rollback")
    assert "Loaded again" in project.outside.page()
    registry = docker("inspect", "-f", "{{.Id}}", project.cluster.registry_container)
    project.localloop("down", "--cluster", code=2)
    project.localloop("down")
    assert project.outside.history() == []
    # A kind cluster of localloop's uses that registry too, so it stays.
    assert docker("inspect", "-f", "{{.Id}}", project.cluster.registry_container) == registry


# ctr on a node that takes no archive as localloop imports it, but one as kind does.
PICKY_CTR = """\
#!/bin/sh
case " $* " in
*" import "*--all-platforms*) ;;
*" import "*) echo "ctr: no such snapshotter" >&2; exit 1 ;;
esac
for path in /usr/bin/ctr /usr/local/bin/ctr; do
  [ -x "$path" ] && exec "$path" "$@"
done
"""


def test_where_ctr_fails_kinds_own_loader_takes_its_place(project: Project) -> None:
    node = project.cluster.node
    find_cluster(project, route="load")
    project.set_page("Loaded by kind")
    place = "/usr/local/sbin/ctr"  # before the real one on PATH
    docker("exec", node, "sh", "-c", f"cat > {place} <<'END'\n{PICKY_CTR}END\nchmod +x {place}")
    try:
        run = project.deploy()
    finally:
        docker("exec", node, "rm", place)
    assert f"into {node} again" in run.text
    now = project.outside.see()
    assert "Loaded by kind" in now.page
    assert image_id(project, now.image)
    assert project.deploy().report["outcome"] == "unchanged"
    assert project.outside.see() == now


def test_images_come_from_the_registry_that_the_cluster_names(project: Project) -> None:
    find_cluster(project)
    first = project.deploy()
    assert first.report["header"]["image_route"] == "advertised"
    before = project.outside.see()
    unchanged(project.deploy(), project.outside, before)
    status = json.loads(project.localloop("status", "-o", "json").out)
    assert status["cluster"]["provider"] == "existing"
    assert status["cluster"]["context"] == project.cluster.context
    assert "local-registry-hosting" in status["cluster"]["images"]


def test_a_server_elsewhere_is_refused_before_it_is_asked(project: Project, tmp_path: Path) -> None:
    text = project.cluster.kubeconfig.read_text()
    server = next(line.split()[1] for line in text.splitlines() if "server:" in line)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(text.replace(server, "https://10.20.0.4:6443"))
    find_cluster(project, kubeconfig=elsewhere)
    for command in ("deploy", "down", "status"):
        refused = project.localloop(command, code=2)
        assert project.cluster.context in refused.text
        assert "https://10.20.0.4:6443" in refused.text
        assert "allow_server" in refused.text
