"""Which of the caller's variables a deploy passes on to its playbook for builds."""

from __future__ import annotations

from pathlib import Path

from localloop.commands.deploy import declared_environ
from localloop.config.project import load_project

CONFIG = """\
version: 1
project: hello
images:
  web:
    dockerfile: Dockerfile
    unhashed_args:
      TOKEN_URL: {env: TOKEN_URL}
      UNSET: {env: UNSET}
      PATHS: {env: PYTHONPATH}
      CONFIG: {env: ANSIBLE_CONFIG}
      FIXED: "1"
    secrets:
      token: {env: TOKEN}
      evil: {env: LD_PRELOAD}
      netrc: {file: .netrc}
"""


def test_only_declared_variables_that_are_set_and_change_no_run(tmp_path: Path) -> None:
    (tmp_path / "localloop.yml").write_text(CONFIG)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    environ = {
        "TOKEN_URL": "http://x",
        "TOKEN": "secret",
        "LD_PRELOAD": "/evil.so",
        "PYTHONPATH": "/evil",
        "ANSIBLE_CONFIG": "/evil.cfg",
        "OTHER": "not declared",
    }
    project = load_project(tmp_path, environ={})
    assert declared_environ(project, environ) == {"TOKEN": "secret", "TOKEN_URL": "http://x"}
