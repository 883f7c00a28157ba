#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Release the charts of a plan."""

from __future__ import annotations

DOCUMENTATION = r"""
module: chart_release
short_description: Release the charts of a plan
description:
  - Marks each chart as unfinished in the cluster's record, then installs or upgrades its release.
  - Refuses a release that has changed since the plan was made. Waits only for releases that another
    chart of the plan C(needs); M(readiness_gate) waits for the rest.
  - Replaces Jobs and bare Pods whose fields cannot be changed.
  - If it fails and C(localloop.yml) has C(on_failure=rollback), rolls the charts back as
    M(readiness_gate) does.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - Docker >= 23
  - Helm >= 3.18.4
  - kubectl >= 1.36 (for charts with C(kustomize))
attributes:
  check_mode:
    description: Releases nothing and returns the plan unchanged.
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Release the charts
  chart_release:
    plan: "{{ node_files_result['plan'] }}"
  run_once: true
  register: release_result
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
            revision: {type: int, description: The Helm revision that this run has released.}
            changed: {type: bool, description: Whether this run has changed it.}
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
from ansible.module_utils.localloop.steps import chart_release


def main() -> None:
    run_module(chart_release)


if __name__ == "__main__":
    main()
