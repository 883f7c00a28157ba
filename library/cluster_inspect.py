#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Say what has to be done about the bundled cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_inspect
short_description: Say what has to be done about the bundled cluster
description:
  - Asks Docker for the cluster's containers and derives a verdict from their state.
  - If the cluster runs, updates the user's kubeconfig from the node and remembers the API server's
    port, so that a node that replaces this one gets it too. Changes nothing else.
requirements:
  - python >= 3.11
  - docker >= 7.1 (the Python library)
  - Docker >= 23
options:
  name:
    description: The cluster's name.
    type: str
    required: true
  api_port:
    description:
      - The API server's port on 127.0.0.1, if the cluster has to be created. V(0) means the one
        that it had before, or else a free one.
    type: int
    default: 0
attributes:
  check_mode:
    description: Compares the kubeconfig without writing it, and does not remember the port.
    support: full
  diff_mode:
    description: There is no diff; a kubeconfig contains a private key.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Inspect the cluster
  cluster_inspect:
    name: hello
  register: cluster_result
"""

RETURN = r"""
cluster:
  description: What has to be done, and what was seen.
  type: dict
  returned: success
  contains:
    name: {type: str, description: The cluster's name.}
    verdict: {type: str, description: "C(ok), C(create), C(start) or C(restart)."}
    reason: {type: str, description: The stable name of the reason; empty if C(ok).}
    ours: {type: bool, description: Whether localloop made the node container.}
    starting: {type: bool, description: Whether it runs and has not been healthy yet.}
    container_id: {type: str, description: The node container's id; empty if there is none.}
    image: {type: str, description: The node container's image.}
    api: {type: str, description: "The API server's URL on this host; empty if not published."}
    platform: {type: str, description: "The node's platform, such as C(linux/amd64)."}
    registry_verdict: {type: str, description: "C(ok), C(create), C(start) or C(recreate)."}
    registry_reason: {type: str, description: The stable name of its reason; empty if C(ok).}
    registry_ours: {type: bool, description: Whether localloop made the registry container.}
    registry_port: {type: int, description: "The registry's port on 127.0.0.1, or null."}
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
  sample: /root/.local/state/localloop/clusters/hello/kubeconfig
api_port:
  description: The API server's port on 127.0.0.1, or the one to create it with.
  type: int
  returned: success
  sample: 6550
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
from ansible.module_utils.localloop.steps import cluster_inspect


def main() -> None:
    run_module(cluster_inspect)


if __name__ == "__main__":
    main()
