#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Put the node files of a plan on every node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_file_put
short_description: Put the node files of a plan on every node
description:
  - Records each node file and the pods that use it, then replaces the file on every node. Writes
    the bytes under a temporary name, checks their digest on the node and renames the file.
  - Leaves the pods alone; M(node_file_reconcile) restarts them.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
attributes:
  check_mode:
    description: Puts nothing and returns the plan unchanged.
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Put the node files
  node_file_put:
    plan: "{{ build_result['plan'] }}"
  run_once: true
  register: node_files_result
"""

RETURN = r"""
plan:
  description: The plan with this step's results; M(deploy_plan) describes all of it.
  type: dict
  returned: success
  contains:
    components:
      description: The components that had this step, and what it sets in them.
      type: dict
      contains:
        COMPONENT:
          description: One component.
          type: dict
          contains:
            changed: {type: bool, description: Whether this run has changed it.}
            file:
              description: The part of a node file.
              type: dict
              contains:
                pending: {type: int, description: Pods that still use earlier bytes.}
    serial: {type: int, description: The serial number of the cluster's record.}
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
from ansible.module_utils.localloop.steps import node_file_put


def main() -> None:
    run_module(node_file_put)


if __name__ == "__main__":
    main()
