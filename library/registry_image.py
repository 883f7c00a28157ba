#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Build the image of the cluster's registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image
short_description: Build the image of the cluster's registry
description:
  - Builds a directory with BuildKit into Docker's own store, unless it holds an image of the same
    files and arguments already.
  - The image is named REPOSITORY:PREFIX-HASH; the hash is that of the files and arguments.
  - Pulls the base image if Docker lacks it. If it cannot be pulled, mmdebstrap makes it from
    Debian's packages.
  - A long build prints its progress, one line for each step and one every ten seconds (every second
    under the command on a terminal).
requirements:
  - python >= 3.11
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - Docker's buildx >= 0.12
  - mmdebstrap (if the base image cannot be pulled)
options:
  repository:
    description: The image's name without a tag.
    type: str
    required: true
  path:
    description: The directory with the Dockerfile.
    type: path
    required: true
  tag_prefix:
    description: What the tag begins with.
    type: str
    default: ""
  build_args:
    description: Build arguments; C(BASE_IMAGE) is added to them.
    type: dict
    default: {}
  base_image:
    description: The image that the Dockerfile starts from.
    type: str
    default: debian:bookworm-slim
  base_suite:
    description: The Debian release that the base image is made from if it cannot be pulled.
    type: str
    default: bookworm
  timeout:
    description: Seconds that the build may take.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Says whether the image would be built, and its name.
    support: full
  diff_mode:
    description: There is no diff but the image's name.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Build the registry's image
  registry_image:
    repository: localloop/registry
    path: roles/registry/files/registry-image
  register: registry_image_result
"""

RETURN = r"""
image:
  description: The image's full name.
  type: str
  returned: success
  sample: localloop/registry:0f3c2b1a9d8e
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
from ansible.module_utils.localloop.steps import registry_image


def main() -> None:
    run_module(registry_image)


if __name__ == "__main__":
    main()
