#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Restart the pods that use earlier bytes of a node file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_file_reconcile
short_description: Restart the pods that use earlier bytes of a node file
description:
  - Deletes, one by one, the pods that were there before the put, and waits for each one's
    replacement to be ready. Pods that no controller would replace are left alone.
  - Node files whose O(plan) has no step C(reconcile) (C(mode=none)) keep their pods pending.
attributes:
  check_mode:
    description: Restarts nothing and returns the plan as it is.
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Reconcile the pods
  node_file_reconcile:
    plan: "{{ release_result['plan'] }}"
  run_once: true
  register: rollout_result
"""

RETURN = r"""
plan:
  description: The plan with this step's results in it, for the next step; M(deploy_plan) shows one.
  type: dict
  returned: success
  sample:
    cluster: {verdict: ok, reason: ""}
    components:
      supervisor:
        kind: node_file
        steps: [build, publish, put, reconcile]
        reasons: [{name: inputs_changed, detail: src/main.rs}]
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
from ansible.module_utils.localloop.steps import node_file_reconcile


def main() -> None:
    run_module(node_file_reconcile)


if __name__ == "__main__":
    main()
