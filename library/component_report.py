#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Report what a run did to one component."""

from __future__ import annotations

DOCUMENTATION = r"""
module: component_report
short_description: Report what a run did to one component
description:
  - Takes the plan as the last step returned it and reports what was done to one component, so that
    the recap of a play counts changes by component and C(--diff) shows the reasons.
  - Changes nothing itself; its C(changed) says whether the run changed the component.
requirements:
  - python >= 3.11
options:
  component:
    description: The component's name.
    type: str
    required: true
  plan:
    description: The plan as the last step returned it.
    type: dict
    required: true
attributes:
  check_mode:
    description: >-
      A component with steps counts as changed, and so does one whose cluster has to be created.
    support: full
  diff_mode:
    description: The fingerprint and the digests of images, before and after.
    support: full
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Report this component
  component_report:
    component: "{{ inventory_hostname }}"
    plan: "{{ readiness_result['plan'] }}"
"""

RETURN = r"""
msg:
  description: Steps and reasons in one line.
  type: str
  returned: always
  sample: "build, publish: inputs_changed (src/main.rs)"
steps:
  description: The component's steps in the plan.
  type: list
  elements: str
  returned: always
  sample: [build, publish]
reasons:
  description: Why it has them.
  type: list
  elements: str
  returned: always
  sample: ["inputs_changed (src/main.rs)"]
skip:
  description: Why it has no steps; empty if it has some.
  type: str
  returned: when the component is in the plan
  sample: unchanged
diff:
  description: The fingerprint and the digests of images, before and after.
  type: dict
  returned: when changed, in diff mode
  contains:
    before_header: {type: str, description: The component's name.}
    after_header: {type: str, description: "Its name, and RV(msg)."}
    before: {type: str, description: What was deployed.}
    after: {type: str, description: What is deployed now.}
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
from ansible.module_utils.localloop.steps import component_report


def main() -> None:
    run_module(component_report)


if __name__ == "__main__":
    main()
