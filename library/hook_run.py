#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Run the project's own commands around a deploy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hook_run
short_description: Run the project's own commands around a deploy
description:
  - Runs the commands under C(hooks) in C(localloop.yml), one after the other, until one fails.
  - Does nothing where the plan releases nothing and puts no node file.
options:
  when:
    description: Which of them.
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
  description: What each command came to.
  type: list
  elements: dict
  returned: success
  sample:
    - when: before_deploy
      command: make migrations
      code: 0
      lines: [nothing to migrate]
plan:
  description: The plan as it was given, for the next step; M(deploy_plan) shows one.
  type: dict
  returned: success
reason:
  description: The stable name of what went wrong.
  type: str
  returned: failure
error:
  description: The failure as data, such as its C(message), C(component) and C(hint).
  type: dict
  returned: failure
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import hook_run


def main() -> None:
    run_module(hook_run)


if __name__ == "__main__":
    main()
