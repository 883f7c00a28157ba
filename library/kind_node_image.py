#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Have the image of a kind cluster's nodes in Docker's store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_node_image
short_description: Have the image of a kind cluster's nodes in Docker's store
description:
  - Takes C(cluster.node_image) of C(localloop.yml), else the C(kindest/node) of the wanted version
    of Kubernetes by its digest, else an image that it builds from Kubernetes' Go modules.
  - An image that Docker holds is neither pulled nor built. The first build takes about ten minutes
    on two cores.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - Docker's buildx >= 0.12
  - mmdebstrap (if the base image cannot be pulled)
options:
  project:
    description:
      - The directory whose C(localloop.yml) names the image or the version of Kubernetes.
      - Without it the newest version is taken.
    type: path
  path:
    description: The directory that the image is built from.
    type: path
    required: true
  base_image:
    description: The image that a build starts from.
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
    description: Says whether the image would be pulled or built, and its name.
    support: full
  diff_mode:
    description: There is no diff but the image's name.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Pull or build the image of the nodes
  kind_node_image:
    project: examples/hello
    path: roles/cluster/files/node-image
  register: kind_node_image_result
"""

RETURN = r"""
image:
  description: The image's full name.
  type: str
  returned: success
  sample: localloop/kind-node:1.37-0f3c2b1a9d8e
source:
  description: "C(configured), C(kindest) or C(built)."
  type: str
  returned: success
  sample: built
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
from ansible.module_utils.localloop.steps import kind_node_image


def main() -> None:
    run_module(kind_node_image)


if __name__ == "__main__":
    main()
