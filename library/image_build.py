#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Build and publish the images of a plan."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build and publish the images of a plan
description:
  - Builds the images that the plan builds. Images that a command of the project makes come first,
    one after another; BuildKit builds all others in one call.
  - Publishes each one under the tag of its fingerprint and the tag of its digest.
  - Where the nodes pull from no registry, loads each image into those that lack it, and asks their
    runtime whether it has it.
  - An image whose inputs changed during the build is used but not recorded.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - Docker's buildx >= 0.12
attributes:
  check_mode:
    description: Builds nothing and returns the plan unchanged.
    support: full
extends_documentation_fragment: [localloop_step]
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Build and publish
  image_build:
    plan: "{{ plan_result['plan'] }}"
  run_once: true
  register: build_images
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
            image:
              description: The published image.
              type: dict
              contains:
                repository: {type: str, description: "Host, port, project and component."}
                digest: {type: str, description: The manifest's digest.}
                configs: {type: dict, description: "The configuration's digest, by platform."}
                loaded: {type: bool, description: "Whether it is written into the nodes."}
            changed: {type: bool, description: Whether this run has changed it.}
            moved: {type: bool, description: Whether its inputs changed while it was built.}
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
from ansible.module_utils.localloop.steps import image_build


def main() -> None:
    run_module(image_build)


if __name__ == "__main__":
    main()
