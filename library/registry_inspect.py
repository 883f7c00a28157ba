#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Say what has to be done about the cluster's registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_inspect
short_description: Say what has to be done about the cluster's registry
description:
  - Asks Docker for the registry's container, the registry itself whether it answers and takes
    pushes, and every running node whether it reaches it and has its mirrors.
  - Changes nothing, but remembers the port of a registry that is kept, so that one that replaces it
    gets it too, and which nodes reach it, so that they are asked once.
  - Fails with C(registry_not_ours) for a container of its name that localloop did not create, and
    with C(node_not_wireable) for a node of somebody else's that cannot be made to pull from it.
requirements:
  - python >= 3.11
  - Docker >= 23
options:
  name:
    description: The cluster's name.
    type: str
    required: true
  port:
    description: The port that it has to have on 127.0.0.1; V(0) keeps or chooses one.
    type: int
    default: 0
  project:
    description:
      - For a cluster that localloop did not create, the directory of the project whose
        C(localloop.yml) names its context.
      - Its nodes pull from the registry if C(registry.route) is C(ours) there. Where the images are
        in another registry, there is nothing to do.
    type: path
  tried:
    description:
      - What was already done about it in this run.
      - If it is still not right after V(create), the module fails and shows what was seen.
    type: str
    choices: ["", start, create]
    default: ""
  wait:
    description: Seconds that what was O(tried) may take until the registry serves host and nodes.
    type: int
    default: 0
attributes:
  check_mode:
    description: Nothing is waited for or remembered; what was O(tried) was not done.
    support: full
  diff_mode:
    description: There is no diff.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Inspect the registry
  registry_inspect:
    name: hello
  register: registry_result
"""

RETURN = r"""
registry:
  description: What has to be done, and what was seen.
  type: dict
  returned: success
  contains:
    verdict: {type: str, description: "C(ok), C(create), C(start) or C(recreate)."}
    reason: {type: str, description: The stable name of the reason; empty if C(ok).}
    ours: {type: bool, description: Whether localloop made the container.}
    held: {type: int, description: "The port that the running container occupies, or null."}
    container_id: {type: str, description: The container's id; empty if there is none.}
    port: {type: int, description: "The port on 127.0.0.1 alone, or null."}
  sample:
    verdict: recreate
    reason: registry_proxy_mode
    ours: true
    held: 5001
    container_id: 4f6d2a
    port: 5001
wired:
  description: Whether every node that has to knows the registry under its address on the host.
  type: bool
  returned: success
unwired:
  description: The nodes that do not, because a mirror is missing or says something else.
  type: list
  elements: str
  returned: success
  sample: []
network:
  description: Docker's network in which nodes pull from it; empty if it only keeps images.
  type: str
  returned: success
  sample: kind
nodes:
  description: The nodes that pull from it, which are containers.
  type: list
  elements: str
  returned: success
  sample: [hello-control-plane]
port:
  description: Its port on 127.0.0.1, or the one to create it with; null if it is not needed.
  type: int
  returned: success
  sample: 5001
address:
  description: Its address on the host, which the nodes know too.
  type: str
  returned: success
  sample: 127.0.0.1:5001
mirrors:
  description: The directories on a node that need a C(hosts.toml).
  type: list
  elements: str
  returned: success
  sample: ["/etc/containerd/certs.d/localhost:5001", "/etc/containerd/certs.d/127.0.0.1:5001"]
hosts_toml:
  description: What that file has to say.
  type: str
  returned: success
hosting:
  description:
    - What the ConfigMap C(local-registry-hosting) (KEP-1755) has to say of it.
    - Empty where no node pulls from it, or the ConfigMap there is somebody else's.
  type: str
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
from ansible.module_utils.localloop.steps import registry_inspect


def main() -> None:
    run_module(registry_inspect)


if __name__ == "__main__":
    main()
