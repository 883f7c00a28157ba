#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Take a project's charts back to what an earlier transaction deployed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: chart_rollback
short_description: Take a project's charts back to what an earlier transaction deployed
description:
  - Rolls each chart back to the revision that ran at the end of the transaction, waits until
    everything is ready and settles the cluster's record.
  - Skips charts that run that revision already.
  - Refuses a state whose revision Helm no longer keeps, or whose images the registry has lost.
  - Runs only inside a transaction.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - Helm >= 3.18.4
options:
  project:
    description: The directory of C(localloop.yml).
    type: path
    required: true
  profile:
    description: A profile of the project; by default the project's own rules choose one.
    type: str
  transaction:
    description: The transaction to go back to; by default to the state before the newest one.
    type: str
    default: ""
attributes:
  check_mode:
    description: Says which charts would go back, and changes nothing; the gate is V(not_run).
    support: full
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one for each component.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Go back to what ran before
  chart_rollback:
    project: "{{ localloop_project }}"
  run_once: true
  register: rollback_result

- name: Go back to what a transaction deployed
  chart_rollback:
    project: "{{ localloop_project }}"
    transaction: tx-20260101-120000-abcdef
  run_once: true
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
            revision: {type: int, description: The Helm revision that this run has released.}
            changed: {type: bool, description: Whether this run has changed it.}
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
from ansible.module_utils.localloop.steps import chart_rollback


def main() -> None:
    run_module(chart_rollback)


if __name__ == "__main__":
    main()
