#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Restart the pods that use earlier bytes of a node file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_file_reconcile
short_description: Restart the pods that use earlier bytes of a node file
description:
  - Deletes, one at a time, the pods that were there before the file was put, and waits until each
    one's replacement is ready. Leaves pods alone that no controller would replace.
  - If a node file has no step C(reconcile) (C(mode=none)), its pods stay pending.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - Docker >= 23
attributes:
  check_mode:
    description: Restarts nothing and returns the plan unchanged.
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Restart the pods
  node_file_reconcile:
    plan: "{{ release_result['plan'] }}"
  run_once: true
  register: rollout_result
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
                expected: {type: int, description: Running pods that used earlier bytes.}
                restarted: {type: int, description: Pods that were restarted.}
                waits: {type: int, description: How often a replacement was waited for.}
                pending: {type: int, description: Pods that still use earlier bytes.}
                failure: {type: str, description: Why the restarts stopped; empty if they did not.}
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
from ansible.module_utils.localloop.steps import node_file_reconcile


def main() -> None:
    run_module(node_file_reconcile)


if __name__ == "__main__":
    main()
