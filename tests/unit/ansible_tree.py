"""A copy of localloop's tree with stand-in steps, so that Ansible's side is tested by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Reaches tasks by a lookup only: Ansible quotes the source of a task that fails.
SECRET = "sesame-42"
FROM_SECRET = "{{ lookup('ansible.builtin.env', 'SECRET') }}"

# Seconds; also how the tests find a tool that was left behind.
SLEEP = f"3{os.getpid():07d}"

PROJECT = """\
version: 1
project: relay
images:
  gateway: {dockerfile: Dockerfile}
  worker: {dockerfile: Dockerfile}
charts:
  relay:
    path: chart
    namespace: relay
    values: {image: {repository: $gateway.repository, tag: $gateway.tag}}
"""

STEP = '''\
"""A stand-in step."""
import os
import time

from ..errors import LocalloopError

ARGUMENT_SPEC = {
    "text": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["echo", "fail", "crash", "sleep"], "default": "echo"},
    "token": {"type": "str", "no_log": True},
    "data": {"type": "dict", "default": {}},
    "size": {"type": "int"},
}


def run(params, context):
    context.emit(
        {"event": "progress", "component": "gateway", "step": "echo", "text": params["text"]}
    )
    if params["mode"] == "fail":
        raise LocalloopError(
            "stood_in", f"no luck with {params['token']}", component="gateway", hint="Try again."
        )
    if params["mode"] == "crash":
        raise RuntimeError(f"a bug near {params['token']}")
    if params["mode"] == "sleep":
        from ..system.tools import run as run_tool

        run_tool(["sleep", os.environ["LOCALLOOP_TEST_SLEEP"]], timeout=400)
    types = {type(value).__name__ for value in _leaves(params)}
    return {
        "changed": params["text"] != "same",
        "check": context.check,
        "transaction": context.transaction,
        "pid": os.getpid(),
        "parent": os.getppid(),
        "text": params["text"],
        "size": params["size"],
        "leak": {"of": [params["token"]]},
        "types": sorted(types),
        "diff": {"before": "a\\n", "after": "b\\n"},
        "package": __name__,
    }


def _leaves(value):
    yield value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(key)
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
'''

MODULE = '''\
"""A stand-in module."""
from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import echo_step

DOCUMENTATION = """
module: echo_step
short_description: A stand-in
options: {}
"""


def main():
    run_module(echo_step)


if __name__ == "__main__":
    main()
'''

ACTION = """\
from localloop.ansible.action import step_action

ActionModule = step_action("echo_step")
"""


class Tree:
    """The copied tree and a small project beside it."""

    def __init__(self, where: Path) -> None:
        self.content = where / "content"
        self.project = where / "project"
        self.state = where / "state"
        self.home = where / "home"
        self.temporary = where / "tmp"
        for each in (self.content, self.project, self.home, self.temporary):
            each.mkdir()
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "src", self.content / "src", ignore=ignore)
        shutil.copy(REPOSITORY / "ansible.cfg", self.content)
        for name in ("inventory", "inventory_plugins", "playbooks/callback_plugins"):
            shutil.copytree(REPOSITORY / name, self.content / name, ignore=ignore)
        for name in ("library", "action_plugins", "filter_plugins", "roles"):
            (self.content / name).mkdir()
        self.write("src/localloop/steps/echo_step.py", STEP)
        self.write("library/echo_step.py", MODULE)
        self.write("action_plugins/echo_step.py", ACTION)
        self.configure(PROJECT)

    def write(self, path: str, text: str) -> Path:
        target = self.content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def configure(self, text: str) -> None:
        (self.project / "localloop.yml").write_text(text)
        (self.project / "Dockerfile").write_text("FROM scratch\n")
        (self.project / "chart").mkdir(exist_ok=True)
        (self.project / "chart" / "Chart.yaml").write_text(
            "apiVersion: v2\nname: relay\nversion: 0.1.0\n"
        )

    def environ(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(self.state),
            "PYTHONPATH": str(self.content / "src"),
            "ANSIBLE_CONFIG": str(self.content / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "SECRET": SECRET,
            "TMPDIR": str(self.temporary),
            "LOCALLOOP_TEST_SLEEP": SLEEP,
            **(extra or {}),
        }

    def run(
        self, *argv: str, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.project,
            env=self.environ(extra),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
