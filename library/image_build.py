#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Build and publish the images of a plan."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build and publish the images of a plan
description:
  - Builds all images that the plan wants built. Those that a command of the project makes come
    first, one after another; all others are built in one BuildKit call.
  - Publishes each under the tag of its fingerprint and the tag of its digest.
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
from ansible.module_utils.localloop.steps import image_build


def main() -> None:
    run_module(image_build)


if __name__ == "__main__":
    main()
