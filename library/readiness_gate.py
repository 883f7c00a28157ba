#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Wait until what was released is ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: readiness_gate
short_description: Wait until what was released is ready
description:
  - Watches every object of the releases in the plan's scope until all of them are ready and run the
    wanted digests, or until the deadline.
  - Fails with a stable reason and evidence. If C(localloop.yml) has C(on_failure=rollback), first
    rolls the charts that the plan released back to what was last ready.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - Helm >= 3.18.4 (for C(on_failure=rollback))
options:
  timeout:
    description: The deadline in seconds; by default the project's C(readiness.timeout).
    type: float
attributes:
  check_mode:
    description: Looks at nothing; the gate's status is C(not_run).
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Wait for readiness
  readiness_gate:
    plan: "{{ rollout_result['plan'] }}"
  run_once: true
  register: readiness_result
"""

RETURN = r"""
gate:
  description: What the gate saw. In check mode it has only RV(gate.status).
  type: dict
  returned: success
  contains:
    status: {type: str, description: "C(ready), or C(not_run) in check mode."}
    reason: {type: str, returned: not in check mode, description: Empty if C(ready).}
    subject: {type: str, returned: not in check mode, description: Empty if C(ready).}
    detail: {type: str, returned: not in check mode, description: A few words for people.}
    objects:
      description: The objects that were judged.
      type: list
      elements: dict
      returned: not in check mode
      contains:
        ref: {type: str, description: "API version, kind, namespace and name."}
        state: {type: str, description: "C(ready), C(progressing), C(failed) or C(not_gated)."}
        reason: {type: str, description: The stable name of why it is not ready; empty if it is.}
        detail: {type: str, description: A few words for people.}
        touched: {type: bool, description: Whether this run has released it.}
        first_ready_s:
          description: Seconds from the gate's start until it was first ready, or null.
          type: float
        verdict_s:
          description: Seconds from the gate's start until that was proven, or null.
          type: float
    warnings:
      description: What the gate cannot vouch for, such as pods without probes.
      type: list
      elements: str
      returned: not in check mode
    not_gated:
      description: Objects of kinds, or in states, that have no readiness.
      type: list
      elements: str
      returned: not in check mode
    evidence:
      description: What failing pods said; empty if C(ready).
      type: list
      elements: dict
      returned: not in check mode
    first_ready_s:
      description: Seconds until all objects were first ready together, or null.
      type: float
      returned: not in check mode
    duration_s:
      description: Seconds until that was proven.
      type: float
      returned: not in check mode
    deadline_s:
      description: The deadline that applied, in seconds.
      type: float
      returned: not in check mode
    deadline_by:
      description: What set it, such as C(readiness.timeout).
      type: str
      returned: not in check mode
    diagnosis:
      description: What a failure means to people; null if C(ready).
      type: dict
      returned: not in check mode
  sample:
    status: ready
    reason: ""
    objects: [{ref: apps/v1/Deployment/hello/gateway, state: ready, reason: "", detail: ready 1/1}]
    warnings: []
    not_gated: []
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
from ansible.module_utils.localloop.steps import readiness_gate


def main() -> None:
    run_module(readiness_gate)


if __name__ == "__main__":
    main()
