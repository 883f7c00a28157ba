#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Settle the record of a deploy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_record
short_description: Settle the record of a deploy
description:
  - After the gate has passed, writes to the cluster's record what the cluster runs now and what the
    registry holds. The write is refused if another run has changed the record.
  - If the plan keeps a cluster that has no fingerprint of C(cluster.inputs), or another one,
    records the present one as accepted.
  - Runs only inside a transaction.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - Docker >= 23
options:
  gate:
    description:
      - What M(readiness_gate) returned as C(gate); the Jobs that it saw complete are recorded.
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
  description: The components that had steps.
  type: list
  elements: str
  returned: success
  sample: [gateway, relay]
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
from ansible.module_utils.localloop.steps import deploy_record


def main() -> None:
    run_module(deploy_record)


if __name__ == "__main__":
    main()
