#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Run the project's own commands around a deploy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hook_run
short_description: Run the project's own commands around a deploy
description:
  - Runs the commands under C(hooks) in C(localloop.yml), one after another, until one fails.
  - Does nothing if the plan releases nothing and puts no node file.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - Docker >= 23
options:
  when:
    description: Which commands to run.
    type: str
    choices: [before_deploy, after_deploy]
    required: true
attributes:
  check_mode:
    description: Runs nothing.
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Run the hooks before the deploy
  hook_run:
    plan: "{{ node_files_result['plan'] }}"
    when: before_deploy
  run_once: true
  register: release_hooks
"""

RETURN = r"""
hooks:
  description: The commands that ran.
  type: list
  elements: dict
  returned: success
  contains:
    when: {type: str, description: C(before_deploy) or C(after_deploy).}
    command: {type: str, description: "The command, quoted as for a shell."}
    code: {type: int, description: Its exit status.}
    lines: {type: list, elements: str, description: The last ten lines that it printed.}
  sample:
    - when: before_deploy
      command: make migrations
      code: 0
      lines: [nothing to migrate]
plan:
  description: The plan as it was given; M(deploy_plan) describes it.
  type: dict
  returned: success
reason:
  description: The stable name of what went wrong; docs/troubleshooting.md explains each one.
  type: str
  returned: failure
error:
  description: The failure as data.
  type: dict
  returned: failure
  contains:
    reason: {type: str, description: "The stable name, with its subject after a colon."}
    message: {type: str, description: What went wrong.}
    component: {type: str, description: "The component that it concerns, or null."}
    where: {type: str, description: "A position in a file or the name of an object, or null."}
    hint: {type: str, description: "What to do about it, or null."}
    details: {type: dict, description: More data; its keys depend on the reason.}
    exit_code: {type: int, description: What C(localloop) exits with for such a failure.}
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import hook_run


def main() -> None:
    run_module(hook_run)


if __name__ == "__main__":
    main()
