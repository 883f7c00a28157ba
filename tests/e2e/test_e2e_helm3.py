"""Helm 3 and Helm 4 take turns on one release."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.claims import agrees, unchanged
from harness.helm3 import install
from harness.outside import output
from harness.project import Project

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a run that finds Helm 3."""
    binaries: Path = install(tmp_path_factory.mktemp("helm3"))
    assert output([str(binaries / "helm"), "version", "--short"]).startswith("v3.")
    return {"PATH": f"{binaries}:{os.environ['PATH']}"}


def test_helm_3_alone(project: Project, helm3: dict[str, str]) -> None:
    outside = project.outside
    nothing = outside.see()
    run = project.deploy(env=helm3)
    first = outside.see()
    agrees(run, outside, nothing, first)
    unchanged(project.deploy(env=helm3), outside, first)

    project.edit("chart/templates/deployment.yaml", "periodSeconds: 1", "periodSeconds: 2")
    project.set_page("By Helm 3")
    run = project.deploy(env=helm3)
    second = outside.see()
    agrees(run, outside, first, second)
    assert "By Helm 3" in second.page
    assert second.revision == 2

    outside.kubectl("scale", "deployment", "hello", "--replicas=2")
    before = outside.see()
    run = project.deploy(env=helm3)
    assert "drift (Deployment hello: spec.replicas)" in run.text
    assert outside.see().replicas == 1
    assert outside.see().revision == before.revision + 1

    project.localloop("rollback", env=helm3)
    project.set_readiness_timeout(60)
    project.set_entrypoint("echo the-last-words-of-it; exit 3")
    failed = project.deploy(code=1, env=helm3)
    assert failed.report["error"]["reason"] == "crash_loop:hello"
    project.edit("chart/templates/deployment.yaml", "kind: Deployment", "kind: Deploymant")
    refused = project.deploy(code=1, env=helm3)
    assert refused.report["error"]["reason"] == "release_failed:hello"
    assert "Deploymant" in refused.text
    project.localloop("down", env=helm3)
    assert outside.history() == []


def test_helm_3_and_helm_4_alternate(deployed: Project, helm3: dict[str, str]) -> None:
    """Neither sees a change in what the other released; each edit is one revision."""
    outside = deployed.outside
    before = outside.see()
    unchanged(deployed.deploy(env=helm3), outside, before)
    for number, env in enumerate((helm3, {}, helm3)):
        deployed.set_page(f"Turn {number}")
        run = deployed.deploy(env=env)
        after = outside.see()
        agrees(run, outside, before, after)
        assert after.revision == before.revision + 1
        assert f"Turn {number}" in after.page
        before = after
    unchanged(deployed.deploy(), outside, before)
