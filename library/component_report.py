#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""One component's share of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: component_report
short_description: Report one component's share of a run
description:
  - Takes the plan as the steps handed it on and reports what was done to one component, so that
    a play's recap counts changes per component and C(--diff) shows the reasons.
  - Changes nothing itself. Its C(changed) says whether the run changed the component.
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
      A component with steps counts as changed, and so does one whose cluster is yet to be created.
    support: full
  diff_mode:
    description: Fingerprint and image digests, before and after.
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
  description: The steps of the plan for this component.
  type: list
  elements: str
  returned: always
  sample: [build, publish]
reasons:
  description: Why they are taken.
  type: list
  elements: str
  returned: always
  sample: ["inputs_changed (src/main.rs)"]
skip:
  description: Why nothing is done, where nothing is.
  type: str
  returned: when the component is in the plan
  sample: unchanged
diff:
  description: Fingerprint and image digests, before and after.
  type: dict
  returned: when changed, in diff mode
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
from ansible.module_utils.localloop.steps import component_report


def main() -> None:
    run_module(component_report)


if __name__ == "__main__":
    main()
