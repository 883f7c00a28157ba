"""The wheel in an empty virtual environment: the command and the playbooks in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.claims import agrees
from harness.outside import output
from harness.project import Project
from harness.run import Run, Running
from harness.wheel import build_wheel, install_wheel, tracked

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of the virtual environment with the wheel."""
    where = tmp_path_factory.mktemp("wheel")
    return install_wheel(build_wheel(where), where / "venv")


def test_a_project_elsewhere(project: Project, tools: Path) -> None:
    def run(tool: str, *words: str, **environ: str) -> Run:
        env = {**project.cluster.env(), "ANSIBLE_NOCOLOR": "1", **environ}
        env["PATH"] = f"{tools}:/usr/local/bin:/usr/bin:/bin"
        argv = [str(tools / tool), *words]
        done = Running(argv, env=env, cwd=project.root, project=project.root).end()
        assert done.code == 0, done.text
        return done

    # The command makes the release without the checkout.
    before = project.outside.see()
    deployed = run("localloop", "deploy")
    first = project.outside.see()
    assert "Hello from localloop" in first.page
    agrees(deployed, project.outside, before, first)

    # The playbook in the wheel continues from there.
    content = Path(run("localloop", "content").out.strip())
    assert content.is_relative_to(tools.parent)
    config = {"ANSIBLE_CONFIG": str(content / "ansible.cfg")}
    project.set_page("By the wheel's playbook")
    edited = run("ansible-playbook", str(content / "playbooks/deploy-fast.yml"), **config)
    second = project.outside.see()
    assert "By the wheel's playbook" in second.page
    agrees(edited, project.outside, first, second)
    assert {host: counts["changed"] for host, counts in edited.recap().items()} == {
        "web": 1,
        "hello": 1,
    }

    # The other playbooks work too: a module's payload finds the package there.
    measured = run(
        "ansible-playbook", str(content / "playbooks/baseline.yml"), "-e", "baseline_mode=warm",
        **config,
    )  # fmt: skip
    assert "warm image/web: ok" in measured.out
    payload = run(
        "ansible", "-i", "there,", "-c", "local", "-m", "host_inspect", "there",
        "-e", f"ansible_python_interpreter={_wrapped(tools, project.root.parent)}",
        ANSIBLE_INVENTORY_ENABLED="host_list",
        **config,
    )  # fmt: skip
    assert "SUCCESS" in payload.out
    quiet = run("localloop", "deploy")
    assert quiet.report["outcome"] == "unchanged"
    assert project.outside.see() == second


def _wrapped(tools: Path, where: Path) -> Path:
    """The same Python under another name, which Ansible does not recognise as its own."""
    script = where / "other-python"
    script.write_text(f'#!/bin/sh\nexec {tools}/python "$@"\n')
    script.chmod(0o755)
    return script


def test_the_installed_content_is_that_of_the_checkout(tools: Path) -> None:
    content = Path(output([str(tools / "localloop"), "content"]).strip())
    for name, path in tracked().items():
        installed = content / name
        assert installed.read_bytes() == path.read_bytes(), name
        assert os.access(installed, os.X_OK) == os.access(path, os.X_OK), name
