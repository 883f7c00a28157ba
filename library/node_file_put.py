#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Put the node files of a plan on every node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_file_put
short_description: Put the node files of a plan on every node
description:
  - Notes each node file and the pods that use it in the cluster's record, then replaces the file on
    every node by a temporary name, a digest check on the node and a rename.
  - The pods are left alone; M(node_file_reconcile) restarts them.
attributes:
  check_mode:
    description: Puts nothing and returns the plan as it is.
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
from ansible.module_utils.localloop.steps import node_file_put


def main() -> None:
    run_module(node_file_put)


if __name__ == "__main__":
    main()
