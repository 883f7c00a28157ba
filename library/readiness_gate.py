#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Wait until what was released is ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: readiness_gate
short_description: Wait until what was released is ready
description:
  - Watches every object of the releases in the plan's scope until all are ready and run the wanted
    digests, or until the deadline.
  - Fails with a named reason and with evidence. With C(on_failure=rollback) in C(localloop.yml) it
    first takes the charts that the plan has released back to what was last ready.
options:
  timeout:
    description: The deadline in seconds; the project's own where this is not set.
    type: float
attributes:
  check_mode:
    description: Looks at nothing; the gate is V(not_run).
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Pass the gate
  readiness_gate:
    plan: "{{ rollout_result['plan'] }}"
  run_once: true
  register: readiness_result
"""

RETURN = r"""
gate:
  description: >-
    What the gate saw: its C(status) (V(ready), or V(not_run) in check mode, which has nothing
    else), the objects that it judged, warnings, and what it leaves out.
  type: dict
  returned: success
  sample:
    status: ready
    reason: ""
    objects: [{ref: apps/v1/Deployment/hello/gateway, state: ready, reason: "", detail: ready 1/1}]
    warnings: []
    not_gated: []
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
from ansible.module_utils.localloop.steps import readiness_gate


def main() -> None:
    run_module(readiness_gate)


if __name__ == "__main__":
    main()
