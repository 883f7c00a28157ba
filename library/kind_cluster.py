#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Create, start, stop or remove a kind cluster of localloop's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster
short_description: Create, start, stop or remove a kind cluster of localloop's
description:
  - Runs C(kind) to create and delete the cluster, and Docker to start and stop its nodes. Waits
    until the API server, the nodes and service names are ready.
  - Only a cluster that localloop created is touched. It is known by a random id that each node
    mounts, also after a create that was killed.
  - The network C(kind) is never removed.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - kind >= 0.33
options:
  name:
    description: The cluster's name in kind.
    type: str
    required: true
  state:
    description:
      - V(created) creates it in place of a cluster of that name, if there is one; everything in
        the old one is lost.
      - V(started) starts nodes that do not run, and restarts a control plane whose API server does
        not answer, once.
      - V(stopped) stops the nodes and the registry, and keeps everything.
      - V(absent) removes the nodes.
    type: str
    choices: [created, started, stopped, absent]
    required: true
  project:
    description:
      - The directory whose C(localloop.yml) says which nodes, ports and mounts the cluster has.
      - Without it the cluster has one node.
    type: path
  image:
    description: The image of the nodes, in Docker's store; needed for V(created).
    type: str
  api_port:
    description:
      - The API server's port on 127.0.0.1. V(0) means the one that it had before, or else a free
        one.
    type: int
    default: 0
  timeout:
    description: Seconds that the nodes have to become Ready.
    type: int
    default: 120
attributes:
  check_mode:
    description: Says whether something would be done, by the state of the containers.
    support: full
  diff_mode:
    description: There is no diff.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Create the cluster with kind
  kind_cluster:
    name: hello
    state: created
    project: examples/hello
    image: kindest/node:v1.37.0

- name: Stop it
  kind_cluster:
    name: hello
    state: stopped
"""

RETURN = r"""
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
from ansible.module_utils.localloop.steps import kind_cluster


def main() -> None:
    run_module(kind_cluster)


if __name__ == "__main__":
    main()
