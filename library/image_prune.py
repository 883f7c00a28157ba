#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Remove old images of a project from its registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_prune
short_description: Remove old images of a project from its registry
description:
  - Keeps the newest images of each component and those in use, removes all others of the project,
    and makes the registry free their space. Nothing else ever removes images.
  - An image is in use if a pod, a workload or the record of any project on the cluster names it;
    that includes everything that a rollback can go back to. An image with a tag of your own is kept
    too.
  - Runs only inside a transaction that keeps every other run off the cluster.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
options:
  project:
    description: The directory of C(localloop.yml).
    type: path
    required: true
  keep:
    description: How many of the newest images of each component to keep; 0 or more.
    type: int
    default: 10
attributes:
  check_mode:
    description: Says which images would go, and removes none.
    support: full
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one for each component.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Remove all images that are not in use
  image_prune:
    project: "{{ localloop_project }}"
    keep: 0
  run_once: true
  register: prune_result
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
            removes: {type: list, elements: str, description: The digests of the images that go.}
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
from ansible.module_utils.localloop.steps import image_prune


def main() -> None:
    run_module(image_prune)


if __name__ == "__main__":
    main()
