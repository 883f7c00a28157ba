"""The cause that is named is the cause: of builds that fail by themselves, and of a taken port."""

from __future__ import annotations

import io
import tarfile

import pytest

from harness.project import Project

pytestmark = pytest.mark.cluster

SAYS = {
    "a dead address": ("FROM scratch\nADD http://127.0.0.1:9/x /out/tool\n", "127.0.0.1:9"),
    "a truncated tar": ("FROM scratch\nADD tool/cut.tar /out/\n", "cut.tar"),
    "a frontend that is not there": (
        "# syntax=127.0.0.1:9/frontend:1\nFROM scratch\nCOPY tool/text /out/tool\n",
        "127.0.0.1:9/frontend",
    ),
}


def truncated_tar() -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo("big")
        entry.size = 1 << 20
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    return whole.getvalue()[: 1 << 19]


@pytest.mark.parametrize("fault", SAYS)
def test_a_build_that_fails_by_itself(project: Project, fault: str) -> None:
    """Told once, as the build's own; the other image is built and kept."""
    dockerfile, words = SAYS[fault]
    project.add_node_file("one")
    (project.root / "tool/cut.tar").write_bytes(truncated_tar())
    project.write("Dockerfile.tool", dockerfile)
    project.set_page(f"Beside {fault}")

    run = project.deploy(code=1)

    assert run.report["error"]["reason"] == "build_failed:tool", run.text
    assert words in run.report["error"]["message"]
    assert "lost" not in run.text
    assert "again" not in run.report["error"]["message"]
    assert run.plan_of("web")["changed"] is True
    assert len(project.outside.see().fp_tags) == 1
    assert project.outside.history() == []


def test_a_host_port_that_the_old_pod_holds(project: Project) -> None:
    """The only node is taken: no selector and no taint is to blame."""
    path = "chart/templates/deployment.yaml"
    project.edit(path, "containerPort: 8080}", "containerPort: 8080, hostPort: 18473}")
    project.deploy()
    project.set_readiness_timeout(18)
    project.set_page("Held up")
    run = project.deploy(code=1)
    assert "another pod on the node has the same hostPort (host_port_taken)" in run.text
    assert "nodeSelector" not in run.text
    assert "use strategy Recreate, or maxSurge 0" in run.text
