"""``localloop.yml`` is read once a process and its forks, and again only when it has changed."""

from __future__ import annotations

import os
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from ansible_tree import ACTION, MODULE, Tree

from localloop.config import project as config_project
from localloop.config.project import load_project

CONFIG = "version: 1\nproject: relay\nimages: {web: {dockerfile: Dockerfile}}\n"
# Python runs this by itself; an audit hook sees every open, by any code.
SITECUSTOMIZE = """\
import os
import sys


def note(event, args):
    if event == "open" and str(args[0]).endswith("/localloop.yml"):
        with open(os.environ["READS"], "a") as log:
            log.write(f"read by {os.getpid()}\\n")


if "READS" in os.environ:
    sys.addaudithook(note)
"""
STEP = '''\
"""A stand-in step that needs the project of a plan."""
import os
from pathlib import Path
from types import SimpleNamespace

from .context import session_of

ARGUMENT_SPEC = {"project": {"type": "path"}, "sha256": {"type": "str"}}


def run(params, context):
    plan = SimpleNamespace(
        root=params["project"], profile="", config_sha256=params["sha256"], registry="",
        platform="", route=None,
    )
    session_of(plan, os.environ)
    with Path(os.environ["READS"]).open("a") as log:
        log.write("step\\n")
    return {}
'''
PLAY = """\
- hosts: all
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - &step
      needs_project: {project: "{{ localloop_project }}", sha256: "SHA256"}
      run_once: true
    - *step
    - *step
"""
EDIT = """\
    - ansible.builtin.lineinfile: {path: "{{ localloop_project }}/localloop.yml", line: "# edited"}
      run_once: true
    - *step
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    made = Tree(tmp_path_factory.mktemp("tree"))
    made.write("src/sitecustomize.py", SITECUSTOMIZE)
    made.write("src/localloop/steps/needs_project.py", STEP)
    made.write("library/needs_project.py", MODULE.replace("echo_step", "needs_project"))
    made.write("action_plugins/needs_project.py", ACTION.replace("echo_step", "needs_project"))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("edited", [False, True])
def test_a_playbook_reads_it_once(tree: Tree, tmp_path: Path, edited: bool) -> None:
    """Inventory, transaction and steps share one reading; an edit ends the run."""
    tree.configure(CONFIG)
    time.sleep(config_project.GRAIN_NS / 1e9 + 0.1)
    digest = sha256(CONFIG.encode()).hexdigest()
    playbook = tree.write(
        "playbooks/deploy-fast.yml", (PLAY + EDIT * edited).replace("SHA256", digest)
    )
    log = tmp_path / "reads"
    done = tree.run("ansible-playbook", str(playbook), extra={"READS": str(log)})
    first, *lines = log.read_text().splitlines()
    assert first.startswith("read by ")
    assert lines[:3] == ["step"] * 3, done.stdout + done.stderr
    if edited:
        assert "localloop.yml changed while the deploy was running" in done.stdout
        assert lines[3:] and "step" not in lines[3:] and first not in lines[3:]
    else:
        assert done.returncode == 0, done.stdout + done.stderr
        assert lines[3:] == []


def _reads(path: Path) -> list[str]:
    """The opens of a file from now on."""
    found: list[str] = []
    sys.addaudithook(
        lambda event, args: (
            found.append(str(args[0])) if event == "open" and args[0] == str(path) else None
        )
    )
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "localloop.yml"
    path.write_text(CONFIG)
    return path


def test_one_reading_serves_all_profiles_and_environments(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(CONFIG + "profiles: {fast: {}}\n")
    monkeypatch.setattr(config_project, "GRAIN_NS", -(10**15))
    reads = _reads(config)
    found = [
        load_project(config.parent, profile=profile, environ=environ)
        for profile in (None, "fast")
        for environ in ({}, {"CLUSTER_NAME": "other"})
    ]
    assert reads == [str(config)]
    assert [project.profile for project in found] == [None, None, "fast", "fast"]
    assert [project.cluster.name for project in found] == ["relay", "other"] * 2


@pytest.mark.parametrize("how", ["in place", "renamed over it", "with its old times"])
def test_a_change_is_read(config: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_project, "GRAIN_NS", -(10**15))
    before = load_project(config.parent, environ={})
    times = config.stat()
    time.sleep(0.02)  # a tick of the kernel's clock: anything less is what GRAIN_NS is for
    new = CONFIG.replace("relay", "other")  # of the same size
    target = config if how != "renamed over it" else config.with_name("new")
    target.write_text(new)
    target.replace(config)
    if how == "with its old times":
        os.utime(config, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = load_project(config.parent, environ={})
    assert (before.name, after.name) == ("relay", "other")
    assert after.config_sha256 == sha256(new.encode()).hexdigest() != before.config_sha256


def test_a_file_that_changed_just_now_is_read_again(config: Path) -> None:
    """Its next change may come within one tick of the clock, and leave the same times."""
    reads = _reads(config)
    for _ in range(3):
        load_project(config.parent, environ={})
    assert reads == [str(config)] * 3
