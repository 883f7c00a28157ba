#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Settle the record of a deploy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_record
short_description: Settle the record of a deploy
description:
  - After the gate, writes into the cluster's record what it now runs and what the registry holds,
    by compare-and-swap.
  - Where the plan keeps a cluster of which nobody noted with which inputs it was made, or with
    others, it notes those of now as accepted.
options:
  gate:
    description:
      - What M(readiness_gate) returned as C(gate); the Jobs that it saw complete are noted.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Writes nothing.
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Settle the record
  deploy_record:
    plan: "{{ readiness_gate_result['plan'] }}"
    gate: "{{ readiness_gate_result['gate'] }}"
  run_once: true
  register: readiness_record
"""

RETURN = r"""
settled:
  description: The components whose steps were taken.
  type: list
  elements: str
  returned: success
  sample: [gateway, relay]
plan:
  description: The plan with this step's results in it, for the next step; M(deploy_plan) shows one.
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
from ansible.module_utils.localloop.steps import deploy_record


def main() -> None:
    run_module(deploy_record)


if __name__ == "__main__":
    main()
