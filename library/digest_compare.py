#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Compare what was built with what runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: digest_compare
short_description: Compare what was built with what runs
description:
  - Compares the images that were built with those that the charts' pods run, and the files that are
    to be put with those on the nodes, by digest.
  - Drops the steps of a component that turned out to run these bytes already, with the reason
    C(digest_already_deployed).
options:
  plan:
    description: The plan as the step before returned it.
    type: dict
    required: true
attributes:
  check_mode:
    description: The same as without; it never changes anything.
    support: full
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one per component.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Compare digests
  digest_compare:
    plan: "{{ build_images['plan'] }}"
  run_once: true
  register: build_result
"""

RETURN = r"""
plan:
  description: The plan with this step's results in it, for the next step.
  type: dict
  returned: success
  sample:
    cluster: {verdict: ok, reason: ""}
    components:
      gateway:
        kind: image
        steps: [build, publish]
        reasons: [{name: inputs_changed, detail: src/main.rs}]
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import digest_compare


def main() -> None:
    run_module(digest_compare)


if __name__ == "__main__":
    main()
