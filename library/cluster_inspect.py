#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Say what is to be done about the bundled cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_inspect
short_description: Say what is to be done about the bundled cluster
description:
  - Asks Docker for the cluster's containers and derives a verdict from what it says.
  - Where the cluster runs, the user's kubeconfig is made equal to the node's. Beside it the API
    server's port is noted, so that a node made anew gets it too. Nothing else changes.
options:
  name:
    description: The cluster's name.
    type: str
    required: true
  api_port:
    description: The port for the API server on 127.0.0.1, if one is to be created; 0 chooses.
    type: int
    default: 0
attributes:
  check_mode:
    description: The kubeconfig is compared but not written; the port is not noted.
    support: full
  diff_mode:
    description: There is no diff; a kubeconfig holds a private key.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Look at the cluster
  cluster_inspect:
    name: hello
  register: cluster_result
"""

RETURN = r"""
cluster:
  description: >-
    The verdict (ok, create, start, restart), its reason and what was seen; C(starting) says that
    the node has not been healthy yet.
  type: dict
  returned: success
  sample:
    name: hello
    verdict: start
    reason: cluster_stopped
    ours: true
    starting: false
    container_id: 4f6d2a
    image: localloop/node:1.20.2-0f3c2b1a9d8e
    api: https://127.0.0.1:6550
    platform: linux/amd64
    registry_verdict: ok
    registry_reason: ""
    registry_ours: true
    registry_port: 5001
kubeconfig:
  description: The path of the user's kubeconfig for this cluster.
  type: str
  returned: success
api_port:
  description: The API server's port on 127.0.0.1, or the one to create it with.
  type: int
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
from ansible.module_utils.localloop.steps import cluster_inspect


def main() -> None:
    run_module(cluster_inspect)


if __name__ == "__main__":
    main()
