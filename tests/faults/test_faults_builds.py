"""One of several components fails to build: the results of the others are kept."""

from __future__ import annotations

import pytest

from harness.project import Project

pytestmark = pytest.mark.cluster


def test_the_others_are_published_and_the_rerun_builds_only_the_failed_one(
    deployed: Project,
) -> None:
    outside = deployed.outside
    before = outside.see()
    deployed.add_node_file("one")
    deployed.append("Dockerfile.tool", f"COPY absent-{deployed.name} /\n")
    deployed.set_page("built beside a failure")

    run = deployed.deploy(code=1)

    after = outside.see()
    assert run.report["error"]["reason"] == "build_failed:tool"
    assert f"absent-{deployed.name}" in run.text
    assert len(after.fp_tags - before.fp_tags) == 1
    assert (after.page, after.revisions) == (before.page, before.revisions)
    assert run.plan_of("web")["changed"] is True
    assert run.plan_of("tool")["changed"] is False

    deployed.write("Dockerfile.tool", "FROM scratch\nCOPY tool/text /out/tool\n")
    again = deployed.deploy()

    assert again.plan_of("web")["skip"] == "in_registry"
    assert "build" in again.plan_of("tool")["steps"]
    assert outside.see().builds == after.builds
    assert "built beside a failure" in outside.page()


def test_every_failure_is_named_and_nothing_is_released(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.add_node_file("one")
    for path in ("Dockerfile", "Dockerfile.tool"):
        deployed.append(path, f"COPY absent-{path.lower()} /\n")

    run = deployed.deploy(code=1)

    assert run.report["error"]["reason"] == "build_failed"
    assert "absent-dockerfile " in run.text
    assert "absent-dockerfile.tool" in run.text
    assert deployed.outside.see() == before
