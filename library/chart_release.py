#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Release the charts of a plan."""

from __future__ import annotations

DOCUMENTATION = r"""
module: chart_release
short_description: Release the charts of a plan
description:
  - Notes each chart as settling in the cluster's record, then installs or upgrades its release.
  - Refuses a release that is not this project's. Waits for those only that another chart of the
    plan C(needs); the gate waits for the rest.
  - Makes Jobs and bare Pods anew whose fields cannot be changed.
  - Where it fails, C(on_failure=rollback) in C(localloop.yml) takes the charts back, as
    M(readiness_gate) does.
attributes:
  check_mode:
    description: Releases nothing and returns the plan as it is.
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
from ansible.module_utils.localloop.steps import chart_release


def main() -> None:
    run_module(chart_release)


if __name__ == "__main__":
    main()
