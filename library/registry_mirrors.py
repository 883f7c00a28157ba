#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Write the files by which the nodes know a registry of this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_mirrors
short_description: Write the files by which the nodes know a registry of this host
description:
  - Writes the same C(hosts.toml) into each directory on each node, with one request to Docker each.
  - A node that has them all as they are to be is left alone.
requirements:
  - python >= 3.11
  - docker >= 7.1 (the Python library)
  - Docker >= 23
options:
  nodes:
    description: The containers of the nodes.
    type: list
    elements: str
    required: true
  directories:
    description: Where containerd looks for the registry's names; missing ones are made.
    type: list
    elements: path
    required: true
  content:
    description: The content of C(hosts.toml).
    type: str
    required: true
attributes:
  check_mode:
    description: Says which nodes would be written to.
    support: full
  diff_mode:
    description: There is no diff.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Write the nodes' mirrors
  registry_mirrors:
    nodes: [hello-control-plane]
    directories: ["/etc/containerd/certs.d/localhost:25001"]
    content: |
      server = "http://localloop-hello-registry:5000"
"""

RETURN = r"""
written:
  description: The nodes that lacked one of the files, or had another.
  type: list
  elements: str
  returned: success
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
from ansible.module_utils.localloop.steps import registry_mirrors


def main() -> None:
    run_module(registry_mirrors)


if __name__ == "__main__":
    main()
