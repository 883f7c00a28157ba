#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Build and publish the images of a plan."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build and publish the images of a plan
description:
  - Builds all images that the plan wants built in one BuildKit call and publishes each under the
    tag of its fingerprint and the tag of its digest.
  - An image whose inputs moved meanwhile is used but not recorded.
attributes:
  check_mode:
    description: Builds nothing and returns the plan as it is.
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
  description: The plan with this step's results in it, for the next step; M(deploy_plan) shows one.
  type: dict
  returned: success
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import image_build


def main() -> None:
    run_module(image_build)


if __name__ == "__main__":
    main()
