#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Compare what was built with what runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: digest_compare
short_description: Compare what was built with what runs
description:
  - Compares the digests of the images that were built with those that the charts' pods run, and the
    files that are to be put with those on the nodes.
  - Drops the steps of a component that turns out to run these bytes already, with the reason
    C(digest_already_deployed).
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - Docker >= 23
attributes:
  check_mode:
    description: Compares nothing, because nothing was built, and returns the plan unchanged.
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
            steps: {type: list, elements: str, description: Those that are left.}
            skip: {type: str, description: C(digest_already_deployed) if steps were dropped.}
            images: {type: dict, description: The images that a chart is to run with their digests.}
            file:
              description: The part of a node file.
              type: dict
              contains:
                sha256: {type: str, description: The SHA-256 of what is to be put.}
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
from ansible.module_utils.localloop.steps import digest_compare


def main() -> None:
    run_module(digest_compare)


if __name__ == "__main__":
    main()
