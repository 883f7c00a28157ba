#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Make an image that the bundled cluster consists of."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_image
short_description: Make an image that the bundled cluster consists of
description:
  - Builds a directory with BuildKit into Docker's own store, unless an image made from the same
    files and arguments is there already.
  - The image is named REPOSITORY:PREFIX-HASH; the hash is that of the files and arguments.
  - The base image is pulled if it is missing, else made with mmdebstrap from Debian's packages.
  - A long build says what it does, one line a step and one every ten seconds (every second under
    the command on a terminal).
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
    description: Build arguments; BASE_IMAGE is added to them.
    type: dict
    default: {}
  base_image:
    description: The image that the Dockerfile starts from.
    type: str
    default: debian:bookworm-slim
  base_suite:
    description: The Debian release to make the base image from if it cannot be pulled.
    type: str
    default: bookworm
  component:
    description: Whose progress this is.
    type: str
    default: cluster
  timeout:
    description: Seconds that the build may take.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Says whether the image would be built, and its name.
    support: full
  diff_mode:
    description: There is nothing to show but the image's name.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Make the node image
  node_image:
    repository: localloop/node
    path: "{{ role_path }}/files/node-image"
    tag_prefix: "1.20.2"
  register: node_image_result
"""

RETURN = r"""
image:
  description: The image's full name.
  type: str
  returned: success
  sample: localloop/node:1.20.2-0f3c2b1a9d8e
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
from ansible.module_utils.localloop.steps import node_image


def main() -> None:
    run_module(node_image)


if __name__ == "__main__":
    main()
