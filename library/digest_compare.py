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
attributes:
  check_mode:
    description: Compares nothing, since nothing was built, and returns the plan as it is.
    support: full
extends_documentation_fragment: [localloop_step]
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
from ansible.module_utils.localloop.steps import digest_compare


def main() -> None:
    run_module(digest_compare)


if __name__ == "__main__":
    main()
