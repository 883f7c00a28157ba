"""Inputs that are not files of the project, and inputs that change during a build."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.outside import docker
from harness.project import Project

pytestmark = pytest.mark.cluster


def test_inputs_that_change_during_the_build(deployed: Project) -> None:
    """What was built runs, but is recorded under neither fingerprint: the next run builds again."""
    before = deployed.outside.see()
    recorded = deployed.outside.record()["images"]["web"]
    deployed.add_build_step("--network=none sleep 4")
    deployed.set_page("Before the edit")
    diff = deployed.localloop("plan", "--diff").out.splitlines()
    assert diff[-2:] == ["M web site/index.html", "* web Dockerfile"]
    running = deployed.start("deploy")
    log = deployed.root / ".cache/localloop/build/bake.log"
    running.until("the build", lambda: log.exists() and "sleep 4" in log.read_text())
    deployed.set_page("After the edit")
    run = running.end()
    assert run.code == 0, run.text

    assert run.report["outcome"] == "deployed"
    assert run.plan_of("web")["moved_during_build"] is True
    assert "inputs moved during the build: used, not recorded" in run.text
    after = deployed.outside.see()
    assert after.image.rpartition("@")[2] == run.report["digests"]["web"]["target_after_push"]
    assert after.image != before.image
    assert after.fp_tags == before.fp_tags
    assert deployed.outside.record()["images"].get("web") in (None, recorded)

    again = deployed.deploy()
    assert again.plan_of("web")["steps"] == ["build", "publish"]
    assert again.plan_of("web")["moved_during_build"] is False
    assert "After the edit" in deployed.outside.page()
    assert deployed.outside.see().fp_tags > before.fp_tags
    assert deployed.deploy().report["outcome"] == "unchanged"


def test_same_size_edit_with_restored_mtime_runs(deployed: Project) -> None:
    """BuildKit alone would mistake the file for the one that it has cached."""
    page = deployed.root / "site/index.html"
    for words in ("first", "other"):
        deployed.set_page(words)
        os.utime(page, (1_000_000_000, 1_000_000_000))
        assert deployed.deploy().plan_of("web")["steps"] == ["build", "publish"]
        assert words in deployed.outside.page()


@pytest.fixture
def base(tmp_path: Path) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A private base image, and a function that moves its tag to other bytes."""
    reference = f"localloop-test/e2e-base:{tmp_path.stat().st_ino}"
    made = set()

    def make(text: str) -> None:
        context = tmp_path / "base"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text("FROM scratch\nCOPY text /base/\n")
        (context / "text").write_text(f"{text} {reference}")
        argv = ["docker", "buildx", "build", "--quiet", "--load", "--provenance=false"]
        done = subprocess.run(
            [*argv, "--tag", reference, str(context)],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        made.add(done.stdout.strip())

    yield reference, make
    docker("rmi", "--force", *made)


def test_base_image_that_was_built_again(
    project: Project, base: tuple[str, Callable[[str], None]]
) -> None:
    reference, make = base
    project.edit("Dockerfile", "\nFROM scratch\n", f"\nFROM {reference}\n")
    make("one")
    project.deploy()
    first = project.outside.see()
    assert project.deploy().report["outcome"] == "unchanged"

    make("two")
    why = f"inputs_changed (base image {reference})"
    assert why in project.localloop("plan").out
    run = project.deploy()
    assert run.reasons("web") == why
    assert project.outside.see().image != first.image
    assert not set(project.outside.see().pods) & set(first.pods)

    make("one")  # the registry still holds what that gave
    back = project.deploy()
    assert back.plan_of("web")["skip"] == "in_registry"
    assert project.outside.see().image == first.image
